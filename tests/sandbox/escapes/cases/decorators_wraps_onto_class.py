# family: decorators
# expect: blocked
# control: none
# why: And no host class.
from functools import wraps
from collections import Counter
wraps(lambda: 0)(Counter)
breach("changed")
