# family: imports
# expect: refused
# control: plain
# why: Modules that are not offered are refused.
import pickle as m
hand_over(m)
