# family: builtins
# expect: blocked
# control: naive
# why: The class of a library object is a label, not its constructor.
import numpy as np
import re
T = type(np.mean)
T()
breach("constructed")
