# family: classes
# expect: blocked
# control: naive
# why: Host classes are immutable.
from statistics import NormalDist as K
K.injected = 1
breach("patched")
