# family: imports
# expect: refused
# control: plain
# why: Modules that are not offered are refused.
import numpy.f2py as m
hand_over(m)
