# family: numpy
# expect: blocked
# control: plain
# why: A long double ends in what the stack held.
import numpy as np
breach(np.array([1.5, 2.5], dtype="g").tobytes())
