# family: classes
# expect: blocked
# control: naive
# why: Only listed classes may be inherited from.
import math, re
import numpy as np
from functools import cached_property, partial
from contextlib import ExitStack
B = ExitStack
class A(B): pass
breach("inherited")
