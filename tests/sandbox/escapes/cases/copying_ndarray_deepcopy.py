# family: copying
# expect: blocked
# control: plain
# why: An array's own __deepcopy__ hands the memo to the real copy module.
import numpy as np
class A:
    def __deepcopy__(self, memo):
        breach(type(memo))
        return self
np.array([A(), None], dtype=object).__deepcopy__({})
