# family: numpy
# expect: blocked
# control: none
# why: The facade does not have it.
import numpy as np
hand_over(np.random.mtrand)
breach("there")
