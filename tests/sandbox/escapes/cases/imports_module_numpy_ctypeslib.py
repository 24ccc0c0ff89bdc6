# family: imports
# expect: refused
# control: none
# why: Modules that are not offered are refused.
import numpy.ctypeslib as m
hand_over(m)
