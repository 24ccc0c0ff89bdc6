# family: numpy
# expect: refused
# control: none
# why: The facade does not have it.
import numpy as np
hand_over(np.fromstring("1"))
breach("there")
