# family: functional
# expect: blocked
# control: naive
# why: An enumeration mixes in listed classes only.
from enum import Enum
import numpy as np
X = Enum("X", {"A": 1}, type=np.float64)
breach("made")
