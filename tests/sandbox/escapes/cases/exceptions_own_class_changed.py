# family: exceptions
# expect: blocked
# control: plain
# why: An object does not change its class after it was tested.
import numpy as np
class A:
    data = 1
    def f(self, act):
        x = self.data
        act(self)
        return self.data
def act(o): setattr(o, "__cla" + "ss__", B)
class B: data = 2
if A().f(act) == 2: breach("changed")
