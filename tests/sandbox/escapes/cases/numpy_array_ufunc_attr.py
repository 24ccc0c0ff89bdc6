# family: numpy
# expect: blocked
# control: plain
# why: Nor by a plain function given such a name.
import numpy as np
class A: pass
setattr(A, "__array_" + "ufunc__", lambda *a: breach("called"))
np.add(A(), 1)
