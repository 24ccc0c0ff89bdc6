# family: facades
# expect: blocked
# control: plain
# why: Nothing can be deleted from them.
import math
del math.sqrt
breach("deleted")
