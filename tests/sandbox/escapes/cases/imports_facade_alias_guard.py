# family: imports
# expect: refused
# control: none
# why: An import may not bind a reserved name.
import math as _getattr_
from math import sqrt as __builtins__
