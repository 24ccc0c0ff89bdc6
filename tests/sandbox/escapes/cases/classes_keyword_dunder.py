# family: classes
# expect: refused
# control: none
# why: A class keyword with an underscore is for library code.
class A(metaclass=type, __array_interface__=5): pass
breach(A)
