# family: super
# expect: refused
# control: none
# why: super is only the head of a method call.
from functools import reduce
reduce(super, [1], int)
