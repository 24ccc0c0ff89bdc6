# family: decorators
# expect: blocked
# control: none
# why: A key gives out the bot's own object.
from functools import cmp_to_key
hand_over(cmp_to_key(lambda a, b: 0)(1).obj)
