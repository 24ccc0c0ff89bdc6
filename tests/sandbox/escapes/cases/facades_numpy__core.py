# family: facades
# expect: refused
# control: plain
# why: A facade has only the names of its table.
import numpy
hand_over(numpy._core)
breach("_core")
