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
make = lambda: np.concatenate([np.zeros(250, "i1,f8"), np.zeros(250, "i1,f8")], dtype=kind).tobytes()
if old(): breach('old memory')
