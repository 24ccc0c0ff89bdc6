# family: super
# expect: refused
# control: none
# why: super is only the head of a method call.
class A:
    def f(self): return super(*[A, self]).x
