# family: classes
# expect: refused
# control: none
# why: However it got there.
class A: pass
A.__getattr__ = lambda s, n: 1
