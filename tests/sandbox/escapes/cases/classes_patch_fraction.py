# family: classes
# expect: blocked
# control: naive
# why: Host classes are immutable.
from fractions import Fraction as K
K.injected = 1
breach("patched")
