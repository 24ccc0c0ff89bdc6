# family: exceptions
# expect: blocked
# control: plain
# why: AttributeError keeps its object.
import math
try:
    math.nothing
except AttributeError as e:
    hand_over(e.obj)
    breach("obj")
