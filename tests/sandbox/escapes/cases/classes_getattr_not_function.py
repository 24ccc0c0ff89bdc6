# family: classes
# expect: blocked
# control: plain
# why: It must be a plain function.
class D:
    def __get__(self, o, t=None): return lambda n: {"shape": (1,)}
class A:
    __getattr__ = D()
breach("made")
