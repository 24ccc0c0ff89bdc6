# family: chance
# expect: blocked
# control: plain
# why: What has no seed is seeded from the bot's own.
import random
found = []
for _ in range(2):
    random.seed(1)
    r = random.Random(5)
    r.seed(None)
    found.append(r.random())
if found[0] != found[1]: breach("chance")
