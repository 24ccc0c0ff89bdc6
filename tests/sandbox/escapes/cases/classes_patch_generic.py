# family: classes
# expect: blocked
# control: naive
# why: Host classes are immutable.
from typing import Generic as K
K.injected = 1
breach("patched")
