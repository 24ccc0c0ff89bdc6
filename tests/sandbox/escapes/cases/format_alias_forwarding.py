# family: format
# expect: blocked
# control: naive
# why: A generic alias hands on nothing that its class keeps.
def f(): pass
import numpy as np
x = np.dtype[int].newbyteorder
hand_over(x)
breach("method of dtype")
