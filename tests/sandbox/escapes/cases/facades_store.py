# family: facades
# expect: blocked
# control: naive
# why: Facades are read-only.
import math
math.sqrt = lambda x: 1
breach("stored")
