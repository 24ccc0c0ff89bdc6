# family: dunder
# expect: blocked
# control: none
# why: Strings are not folded: a look-alike in getattr names nothing.
try:
    hand_over(getattr(lambda: 0, "__ｃｏｄｅ__"))
except AttributeError:
    pass
