# family: imports
# expect: blocked
# control: plain
# why: So does a dotted one.
try:
    import os.path as p
    from os import path
    hand_over(p)
except ImportError:
    pass
