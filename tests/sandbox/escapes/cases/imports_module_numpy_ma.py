# family: imports
# expect: refused
# control: plain
# why: Modules that are not offered are refused.
import numpy.ma as m
hand_over(m)
