# family: addresses
# expect: blocked
# control: plain
# why: No text and no hash tells where an object lies.
import numpy as np
if "0x" in repr(np.random.default_rng(1)) + repr(np.mean) + repr(np.random.RandomState(1)): breach("address")
