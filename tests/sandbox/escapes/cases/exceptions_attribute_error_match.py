# family: exceptions
# expect: refused
# control: plain
# why: By a pattern too.
import math
try:
    math.nothing
except AttributeError as e:
    match e:
        case AttributeError(obj=o):
            hand_over(o)
            breach("obj")
