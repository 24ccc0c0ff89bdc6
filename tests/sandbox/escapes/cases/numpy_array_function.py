# family: numpy
# expect: refused
# control: none
# why: An object cannot take part in dispatch.
import numpy as np
class A:
    def __array_function__(self, func, types, args, kwargs): return hand_over(func)
np.mean(A())
