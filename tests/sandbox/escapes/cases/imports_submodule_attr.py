# family: imports
# expect: refused
# control: none
# why: A facade has no real submodule.
import collections.abc
hand_over(collections.abc.sys)
