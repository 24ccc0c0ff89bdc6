# family: callables
# expect: blocked
# control: naive
# why: What a host function calls back gets nothing more.
import numpy as np
np.fromfunction(lambda *a: hand_over(a[0].ctypes), (2,))
breach("x")
