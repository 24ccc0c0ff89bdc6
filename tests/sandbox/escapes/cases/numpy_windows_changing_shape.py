# family: numpy
# expect: blocked
# control: none
# why: Nor is the shape asked for twice.
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
class Shape(list):
    asked = 0
    def __iter__(self):
        Shape.asked += 1
        return iter([1] if Shape.asked == 1 else [9999])
if sliding_window_view(np.arange(4), Shape([1])).shape[1] > 4: breach("memory")
