# family: classes
# expect: blocked
# control: naive
# why: And nothing can be deleted.
from collections import Counter
del Counter.most_common
breach("deleted")
