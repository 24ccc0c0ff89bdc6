# family: classes
# expect: blocked
# control: plain
# why: Host classes are immutable.
from enum import IntFlag as K
K.injected = 1
breach("patched")
