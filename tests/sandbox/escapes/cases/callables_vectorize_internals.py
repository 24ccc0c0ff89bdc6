# family: callables
# expect: blocked
# control: plain
# why: vectorize keeps its ufunc.
import numpy as np
v = np.vectorize(lambda x: x)
v([1])
hand_over(v._get_ufunc_and_otypes)
breach("private")
