# family: classes
# expect: blocked
# control: naive
# why: Host classes are immutable.
from numpy import vectorize as K
K.injected = 1
breach("patched")
