# family: classes
# expect: blocked
# control: plain
# why: Host classes are immutable.
from collections.abc import Sequence as K
K.injected = 1
breach("patched")
