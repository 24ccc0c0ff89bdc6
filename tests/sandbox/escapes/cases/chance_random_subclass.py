# family: chance
# expect: blocked
# control: plain
# why: What has no seed is seeded from the bot's own.
import random
class R(random.Random):
    def again(self):
        super().seed()
        return super().random()
found = []
for _ in range(2):
    random.seed(1)
    found.append(R(1).again())
if found[0] != found[1]: breach("chance")
