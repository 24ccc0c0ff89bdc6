# family: builtins
# expect: blocked
# control: none
# why: The class of a library object is a label, not its constructor.
import numpy as np
import re
T = type(np.mean)
T()
breach("constructed")
