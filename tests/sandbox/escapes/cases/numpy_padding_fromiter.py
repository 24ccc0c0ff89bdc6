# family: numpy
# expect: blocked
# control: plain
# why: Memory that grows is not cleared, so a structured dtype is refused there.
import numpy as np
breach(np.fromiter(((0, 0.0) for _ in range(5)), np.dtype("i1,f8", align=True)))
