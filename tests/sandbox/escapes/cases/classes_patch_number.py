# family: classes
# expect: blocked
# control: plain
# why: Host classes are immutable.
from numbers import Number as K
K.injected = 1
breach("patched")
