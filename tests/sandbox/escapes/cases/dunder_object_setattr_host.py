# family: dunder
# expect: blocked
# control: none
# why: And on own objects only.
import math
object.__setattr__(math, "sqrt", 1)
breach("stored")
