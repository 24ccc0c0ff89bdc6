# family: dunder
# expect: refused
# control: none
# why: Nor in an unpacking or a loop.
def f(): pass
(a, f.__code__) = 1, 2
for f.__defaults__ in [()]: pass
with x as f.__kwdefaults__: pass
