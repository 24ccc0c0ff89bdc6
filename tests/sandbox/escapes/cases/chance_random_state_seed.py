# family: chance
# expect: blocked
# control: plain
# why: What has no seed is seeded from the bot's own.
import random
import numpy as np
found = []
for _ in range(2):
    random.seed(1)
    r = np.random.RandomState(3)
    r.seed()
    found.append(r.rand())
if found[0] != found[1]: breach("chance")
