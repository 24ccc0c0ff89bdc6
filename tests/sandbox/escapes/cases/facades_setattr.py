# family: facades
# expect: blocked
# control: plain
# why: By setattr too.
import math
setattr(math, "sqrt", 1)
breach("stored")
