# family: numpy
# expect: blocked
# control: plain
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
from operator import methodcaller
methodcaller("tofile", "/tmp/never-written")(np.zeros(1))
breach("file")
