# family: numpy
# expect: blocked
# control: plain
# why: tobytes of a class would do for any scalar.
import numpy as np
breach(np.generic.tobytes(np.dtype("g").type(1.5)))
