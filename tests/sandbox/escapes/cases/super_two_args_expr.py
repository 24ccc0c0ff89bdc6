# family: super
# expect: refused
# control: none
# why: super is only the head of a method call.
super((lambda: int)(), 1).x
