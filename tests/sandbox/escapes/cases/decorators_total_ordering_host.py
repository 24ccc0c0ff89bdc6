# family: decorators
# expect: blocked
# control: naive
# why: So does total_ordering.
from functools import total_ordering
total_ordering(dict)
breach("changed")
