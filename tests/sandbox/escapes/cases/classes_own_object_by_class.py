# family: classes
# expect: blocked
# control: naive
# why: A method called with a host object tests that object.
import numpy as np
class A:
    data = 1
    def f(self): return self.data, self.data
hand_over(A.f(np.zeros(3)))
breach("memory")
