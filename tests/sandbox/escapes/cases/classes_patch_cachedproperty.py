# family: classes
# expect: blocked
# control: plain
# why: Host classes are immutable.
from functools import cached_property as K
K.injected = 1
breach("patched")
