# family: builtins
# expect: blocked
# control: plain
# why: Not by |=.
class A: pass
d = A().__dict__
d |= {"__copy__": 1}
breach("stored")
