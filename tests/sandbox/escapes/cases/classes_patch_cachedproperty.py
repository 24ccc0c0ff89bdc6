# family: classes
# expect: blocked
# control: naive
# why: Host classes are immutable.
from functools import cached_property as K
K.injected = 1
breach("patched")
