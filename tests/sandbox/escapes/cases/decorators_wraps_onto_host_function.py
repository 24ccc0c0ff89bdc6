# family: decorators
# expect: blocked
# control: naive
# why: wraps changes only own functions.
from functools import wraps
import statistics
wraps(lambda: 0)(statistics.mean)
breach("changed")
