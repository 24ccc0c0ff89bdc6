# family: decorators
# expect: blocked
# control: naive
# why: Whatever the class.
from dataclasses import dataclass
import random
dataclass(init=False, repr=True)(random.Random)
breach("changed")
