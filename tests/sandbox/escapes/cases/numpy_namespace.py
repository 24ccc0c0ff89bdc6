# family: numpy
# expect: blocked
# control: naive
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
from types import SimpleNamespace
a = np.asarray(SimpleNamespace(**{"__array_interface__": {"shape": (8,), "typestr": "|u1", "data": (4096, True), "version": 3}}))
if a.dtype == np.uint8: breach("memory")
