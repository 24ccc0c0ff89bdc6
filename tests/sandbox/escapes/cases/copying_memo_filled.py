# family: copying
# expect: blocked
# control: plain
# why: A memo is a table by address: a bot passes it on, and can neither read nor fill it.
import copy
breach(copy.deepcopy([1], {140737204298112: 5}))
