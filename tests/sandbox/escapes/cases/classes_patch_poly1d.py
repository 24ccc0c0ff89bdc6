# family: classes
# expect: blocked
# control: naive
# why: Host classes are immutable.
from numpy import poly1d as K
K.injected = 1
breach("patched")
