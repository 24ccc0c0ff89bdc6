# family: classes
# expect: blocked
# control: naive
# why: Under no other name.
from abc import ABCMeta
B = ABCMeta
class M(B):
    pass
hand_over(M)
breach("metaclass")
