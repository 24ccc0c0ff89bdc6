# family: dunder
# expect: refused
# control: none
# why: Nor changed in place.
class A: pass
A.__module__ += "x"
