# family: numpy
# expect: blocked
# control: none
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
r = np.random.RandomState(1)
r.set_state(("MT19937", np.zeros(624, dtype="u4"), 10**6, 0, 0.0))
r.rand(10)
breach("read past the key")
