# family: imports
# expect: blocked
# control: naive
# why: A guarded import of a missing name does not fall back to sys.modules.
try:
    from numpy import f2py as x
    hand_over(x)
except ImportError:
    pass
