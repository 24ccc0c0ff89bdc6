# family: numpy
# expect: blocked
# control: plain
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
class X:
    def __getattr__(self, n):
        if n == "__array_interface__": return {"shape": (8,), "typestr": "|u1", "data": (4096, True), "version": 3}
        raise AttributeError(n)
a = np.asarray(X())
if a.dtype == np.uint8: breach("memory")
