# family: super
# expect: blocked
# control: plain
# why: A generator that was never seeded is not the bot's to make.
from random import Random
breach(Random.__new__(Random).random())
