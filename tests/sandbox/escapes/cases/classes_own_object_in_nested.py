# family: classes
# expect: blocked
# control: plain
# why: A nested function tests for itself.
import numpy as np
class A:
    data = 1
def f(self):
    x = self.data, self.data
    def g():
        nonlocal self
        self = np.zeros(3)
        return self.data
    return g()
hand_over(f(A()))
breach("memory")
