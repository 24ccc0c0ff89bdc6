# family: imports
# expect: refused
# control: none
# why: Star imports are refused.
from math import *
from typing import *
