# family: facades
# expect: refused
# control: naive
# why: A facade has only the names of its table.
import copy
hand_over(copy.copyreg)
breach("copyreg")
