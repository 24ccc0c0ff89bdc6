# family: numpy
# expect: blocked
# control: plain
# why: An empty array holds zeros, not what memory held before.
import numpy as np
x = [np.full(1000, 7.0) for _ in range(50)]
del x
if any(np.empty(1000).any() for _ in range(50)): breach("old memory")
