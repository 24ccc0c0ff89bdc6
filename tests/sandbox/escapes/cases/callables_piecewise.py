# family: callables
# expect: blocked
# control: none
# why: What a host function calls back gets nothing more.
import numpy as np
np.piecewise(np.zeros(1), [[True]], [lambda a: hand_over(a.view("O"))])
breach("x")
