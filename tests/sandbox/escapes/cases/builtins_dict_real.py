# family: builtins
# expect: blocked
# control: none
# why: The view does not give out what it stands for.
class A: pass
d = A().__dict__
hand_over(d._real())
d._real()["__array_interface__"] = 1
breach("real dict")
