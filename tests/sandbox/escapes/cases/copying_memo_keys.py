# family: copying
# expect: blocked
# control: plain
# why: A memo is a table by address: a bot passes it on, and can neither read nor fill it.
import copy
memo = {}
copy.deepcopy([[1], [2]], memo)
if any(type(key) is int for key in memo): breach(memo)
