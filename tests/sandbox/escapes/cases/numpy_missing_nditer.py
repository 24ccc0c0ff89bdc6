# family: numpy
# expect: refused
# control: naive
# why: The facade does not have it.
import numpy as np
hand_over(np.nditer(np.zeros(3)))
breach("there")
