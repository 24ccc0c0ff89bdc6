# family: classes
# expect: blocked
# control: plain
# why: __getattr__ is not asked for special names.
import copy
asked = []
class A:
    def __getattr__(self, n):
        asked.append(n)
        raise AttributeError(n)
copy.copy(A()); copy.deepcopy(A())
import numpy as np
np.asarray(A())
if any(n[:2] == "__" for n in asked): breach(asked)
