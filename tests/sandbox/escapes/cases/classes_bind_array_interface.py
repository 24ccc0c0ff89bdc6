# family: classes
# expect: refused
# control: none
# why: Nor may a class body bind them.
class A:
    __array_interface__ = 1
