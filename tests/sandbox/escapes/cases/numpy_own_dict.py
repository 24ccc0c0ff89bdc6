# family: numpy
# expect: blocked
# control: plain
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
class X: pass
x = X()
x.__dict__["__array_interface__"] = {"shape": (8,), "typestr": "|u1", "data": (4096, True), "version": 3}
a = np.asarray(x)
if a.dtype == np.uint8: breach("memory")
