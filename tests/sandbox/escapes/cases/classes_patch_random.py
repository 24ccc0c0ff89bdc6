# family: classes
# expect: blocked
# control: naive
# why: Host classes are immutable.
from random import Random as K
K.injected = 1
breach("patched")
