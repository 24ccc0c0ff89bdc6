# family: dunder
# expect: blocked
# control: naive
# why: hasattr does not tell of what cannot be had.
if hasattr(lambda: 0, "__glo" + "bals__"): breach("seen")
