# family: classes
# expect: blocked
# control: naive
# why: A loop variable is tested each time.
import numpy as np
class A:
    data = 1
for o in [A(), np.zeros(3)]:
    x = o.data
hand_over(x)
breach("memory")
