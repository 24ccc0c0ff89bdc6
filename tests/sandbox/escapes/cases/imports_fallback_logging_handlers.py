# family: imports
# expect: blocked
# control: naive
# why: A guarded import of a missing name does not fall back to sys.modules.
try:
    from logging import handlers as x
    hand_over(x)
except ImportError:
    pass
