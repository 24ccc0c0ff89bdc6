# family: builtins
# expect: refused
# control: plain
# why: Nor may it be tried for.
try:
    f = exec
except NameError:
    f = None
hand_over(f)
