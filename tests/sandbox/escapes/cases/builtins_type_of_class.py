# family: builtins
# expect: blocked
# control: naive
# why: The class of a class is only a stand-in.
class A: pass
hand_over(type(A))
type(A)("X", (), {"__reduce__": 1})
breach("metaclass")
