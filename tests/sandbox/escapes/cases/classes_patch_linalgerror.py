# family: classes
# expect: blocked
# control: plain
# why: Host classes are immutable.
from numpy.linalg import LinAlgError as K
K.injected = 1
breach("patched")
