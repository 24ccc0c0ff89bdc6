# family: classes
# expect: blocked
# control: plain
# why: Host classes are immutable.
from logging import Logger as K
K.injected = 1
breach("patched")
