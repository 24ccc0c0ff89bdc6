# family: decorators
# expect: blocked
# control: naive
# why: dataclass changes only own classes.
from dataclasses import dataclass
from collections import Counter
dataclass(Counter)
breach("changed")
