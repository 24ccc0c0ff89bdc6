# family: super
# expect: blocked
# control: plain
# why: The first argument of super() is a class of the bot's own; a facade's own base is not the bot's to ask.
from random import Random
r = Random(1)
super(Random, r).seed(None)
breach(r.random())
