# family: classes
# expect: refused
# control: none
# why: Special methods that change how the interpreter or a library treats an object are refused.
class A:
    def __getnewargs_ex__(self, *a): return 1
