# family: classes
# expect: refused
# control: none
# why: A bot has no metaclass of its own.
class M(type):
    def __call__(cls, *a): return 1
class A(metaclass=M): pass
