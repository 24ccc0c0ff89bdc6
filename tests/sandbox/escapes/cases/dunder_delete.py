# family: dunder
# expect: refused
# control: none
# why: Nor deleted.
class A: pass
del A.__doc__
