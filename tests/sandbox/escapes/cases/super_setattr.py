# family: super
# expect: refused
# control: none
# why: super is only the head of a method call.
class A:
    def f(self): super().__setattr__("__array_interface__", 1)
