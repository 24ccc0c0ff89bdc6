# family: classes
# expect: blocked
# control: naive
# why: Host classes are immutable.
from abc import ABC as K
K.injected = 1
breach("patched")
