# family: numpy
# expect: blocked
# control: plain
# why: A window is as long as the integer's value says, not as its operators claim.
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
class Long(int):
    def __gt__(self, other): return False
    def __sub__(self, other): return 0
if sliding_window_view(np.arange(4), (Long(1000),)).shape[1] > 4: breach("memory")
