# family: classes
# expect: blocked
# control: naive
# why: The layout of an array cannot be stored.
import numpy as np
a = np.zeros(4)
a.strides = (1,)
breach("stored")
