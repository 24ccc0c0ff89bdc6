# family: dunder
# expect: blocked
# control: plain
# why: And on own objects only.
import math
object.__setattr__(math, "sqrt", 1)
breach("stored")
