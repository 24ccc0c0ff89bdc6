# family: imports
# expect: blocked
# control: plain
# why: A guarded import of a module that is not offered raises ImportError.
try:
    import os
    hand_over(os)
except ImportError:
    pass
