# family: dunder
# expect: refused
# control: none
# why: A special attribute cannot be stored.
def f(): pass
f.__code__ = 1
f.__defaults__ = ()
