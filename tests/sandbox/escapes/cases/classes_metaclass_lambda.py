# family: classes
# expect: refused
# control: none
# why: Nor any other callable.
class A(metaclass=lambda n, b, d: d): pass
