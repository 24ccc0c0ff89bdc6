# family: super
# expect: refused
# control: none
# why: super is only the head of a method call.
s = super
