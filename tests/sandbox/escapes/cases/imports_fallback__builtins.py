# family: imports
# expect: refused
# control: none
# why: A guarded import gives out no special attribute of a module.
try:
    from math import __builtins__ as x
    hand_over(x)
    breach("special")
except ImportError:
    pass
