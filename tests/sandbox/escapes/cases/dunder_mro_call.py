# family: dunder
# expect: blocked
# control: plain
# why: mro has no underscore and is guarded.
class A: pass
hand_over(A.mro()[-1].__class__ if False else A.mro())
breach("mro")
