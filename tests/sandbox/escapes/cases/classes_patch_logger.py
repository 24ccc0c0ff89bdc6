# family: classes
# expect: blocked
# control: naive
# why: Host classes are immutable.
from logging import Logger as K
K.injected = 1
breach("patched")
