# family: decorators
# expect: blocked
# control: none
# why: abstractmethod marks own functions.
from abc import abstractmethod
import math
abstractmethod(math.sqrt)
breach("marked")
