# family: classes
# expect: blocked
# control: naive
# why: type under another name is no base.
T = type
class M(T): pass
hand_over(M)
breach("metaclass")
