# family: callables
# expect: blocked
# control: none
# why: Nor does iter with a sentinel.
hand_over(list(iter(lambda: 1, 1)))
