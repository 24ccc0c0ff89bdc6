# family: facades
# expect: refused
# control: naive
# why: Of numpy.lib there is one function, and nothing else.
import numpy
hand_over(numpy.lib.format)
breach("lib")
