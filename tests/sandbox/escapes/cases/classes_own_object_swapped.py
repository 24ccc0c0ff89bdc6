# family: classes
# expect: blocked
# control: naive
# why: A parameter that is bound again is tested again.
import numpy as np
class A:
    data = 1
    def f(self, other):
        x = self.data
        self = other
        return self.data
hand_over(A().f(np.zeros(3)))
breach("memory")
