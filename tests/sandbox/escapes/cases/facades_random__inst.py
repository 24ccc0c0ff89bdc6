# family: facades
# expect: refused
# control: plain
# why: A facade has only the names of its table.
import random
hand_over(random._inst)
breach("_inst")
