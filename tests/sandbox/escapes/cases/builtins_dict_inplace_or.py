# family: builtins
# expect: blocked
# control: none
# why: Not by |=.
class A: pass
d = A().__dict__
d |= {"__copy__": 1}
breach("stored")
