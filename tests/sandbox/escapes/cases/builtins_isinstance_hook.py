# family: builtins
# expect: refused
# control: none
# why: A class cannot define how isinstance works on it.
class A:
    def __instancecheck__(self, x): return True
