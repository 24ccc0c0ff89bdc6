# family: numpy
# expect: blocked
# control: plain
# why: The bytes of a variable-length string say where its text lies.
import numpy as np
breach(np.array(["x" * 100], dtype="T").tobytes())
