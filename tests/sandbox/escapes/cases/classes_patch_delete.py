# family: classes
# expect: blocked
# control: plain
# why: And nothing can be deleted.
from collections import Counter
del Counter.most_common
breach("deleted")
