# family: classes
# expect: blocked
# control: naive
# why: Host classes are immutable.
from enum import IntFlag as K
K.injected = 1
breach("patched")
