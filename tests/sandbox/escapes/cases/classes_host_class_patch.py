# family: classes
# expect: blocked
# control: naive
# why: Host classes are immutable.
from collections import Counter
Counter.most_common = 1
breach("patched")
