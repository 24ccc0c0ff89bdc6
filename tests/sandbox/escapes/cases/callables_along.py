# family: callables
# expect: blocked
# control: naive
# why: What a host function calls back gets nothing more.
import numpy as np
np.apply_along_axis(lambda a: hand_over(a.base), 0, np.zeros((2, 2)))
breach("x")
