# family: numpy
# expect: blocked
# control: naive
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
a = np.zeros(100000)
v = a[:]
a.resize(3, refcheck=False)
breach("freed memory is still seen")
