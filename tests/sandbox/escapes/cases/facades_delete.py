# family: facades
# expect: blocked
# control: naive
# why: Nothing can be deleted from them.
import math
del math.sqrt
breach("deleted")
