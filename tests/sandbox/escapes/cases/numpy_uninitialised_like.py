# family: numpy
# expect: blocked
# control: plain
# why: New memory of numpy holds zeros, whichever function makes the array.
import numpy as np
none = np.zeros(1000, bool)
zeros = np.zeros(1000)
def old():
    x = [np.full(1000, 7.0) for _ in range(50)]
    del x
    return any(np.asarray(make()).any() for _ in range(50))
make = lambda: np.empty_like(zeros)
if old(): breach('old memory')
