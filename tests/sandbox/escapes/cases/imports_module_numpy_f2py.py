# family: imports
# expect: refused
# control: none
# why: Modules that are not offered are refused.
import numpy.f2py as m
hand_over(m)
