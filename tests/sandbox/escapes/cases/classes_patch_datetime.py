# family: classes
# expect: blocked
# control: none
# why: Host classes are immutable.
from datetime import datetime as K
K.injected = 1
breach("patched")
