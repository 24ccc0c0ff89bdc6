# family: classes
# expect: blocked
# control: none
# why: Host classes are immutable.
from types import SimpleNamespace as K
K.injected = 1
breach("patched")
