# family: decorators
# expect: blocked
# control: none
# why: A partial gives out what the bot put in.
from functools import partial
p = partial(print, 1)
hand_over(p.func)
hand_over(p.args)
