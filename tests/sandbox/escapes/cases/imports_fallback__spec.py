# family: imports
# expect: refused
# control: plain
# why: A guarded import gives out no special attribute of a module.
try:
    from math import __spec__ as x
    hand_over(x)
    breach("special")
except ImportError:
    pass
