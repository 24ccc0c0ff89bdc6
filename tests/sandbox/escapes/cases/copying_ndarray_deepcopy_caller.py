# family: copying
# expect: blocked
# control: plain
# why: An array's own __deepcopy__ hands the memo to the real copy module.
import numpy as np, operator
breach(operator.methodcaller("__deepcopy__", {})(np.zeros(2, dtype="i8,f8")))
