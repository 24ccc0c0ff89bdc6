# family: facades
# expect: refused
# control: naive
# why: A facade has only the names of its table.
import numpy
hand_over(numpy.sys)
breach("sys")
