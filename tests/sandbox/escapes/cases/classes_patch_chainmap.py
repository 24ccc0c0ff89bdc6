# family: classes
# expect: blocked
# control: naive
# why: Host classes are immutable.
from collections import ChainMap as K
K.injected = 1
breach("patched")
