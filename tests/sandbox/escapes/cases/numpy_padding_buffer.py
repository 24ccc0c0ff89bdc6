# family: numpy
# expect: blocked
# control: plain
# why: The gaps of a padded dtype hold zeros.
import numpy as np
kind = np.dtype("i1,f8", align=True)
def old():
    x = [np.full(1000, 7.0) for _ in range(50)]
    del x
    return any(any(make()) for _ in range(50))
make = lambda: bytes(np.array([(0, 0.0)] * 500, dtype=kind))
if old(): breach('old memory')
