# family: classes
# expect: refused
# control: none
# why: Nor may a class body bind them.
class A:
    __class__ = 1
