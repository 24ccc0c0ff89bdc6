# family: classes
# expect: blocked
# control: plain
# why: By setattr too.
from fractions import Fraction
setattr(Fraction, "limit_denominator", 1)
breach("patched")
