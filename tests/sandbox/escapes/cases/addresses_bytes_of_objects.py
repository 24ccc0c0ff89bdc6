# family: addresses
# expect: blocked
# control: plain
# why: No text and no hash tells where an object lies.
import numpy as np
for read in (bytes, bytearray, lambda a: b"".join([a]), lambda a: str(a, "latin-1").encode()):
    if any(read(np.array([len, print], dtype=object))): breach("address")
