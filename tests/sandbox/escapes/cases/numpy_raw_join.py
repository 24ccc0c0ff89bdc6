# family: numpy
# expect: blocked
# control: plain
# why: The bytes of object arrays are addresses; every way to raw bytes refuses them.
import numpy as np
them = np.array([None, len], dtype=object)
breach(b"".join([them]))
