# family: classes
# expect: blocked
# control: naive
# why: Host classes are immutable.
from contextlib import suppress as K
K.injected = 1
breach("patched")
