# family: chance
# expect: blocked
# control: none
# why: What has no seed is seeded from the bot's own.
import random, statistics
random.seed(1)
one = statistics.NormalDist().samples(1)
random.seed(1)
if statistics.NormalDist().samples(1) != one: breach("chance")
