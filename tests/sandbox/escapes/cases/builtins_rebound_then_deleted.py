# family: builtins
# expect: blocked
# control: plain
# why: A name that the bot bound and deleted again is simply not defined.
open = 1
del open
hand_over(open)
