# family: classes
# expect: blocked
# control: naive
# why: The class of an abstract class is a stand-in.
from abc import ABC
class A(ABC): pass
M = type(A)
hand_over(M)
M("X", (), {"__reduce__": 1})
breach("made")
