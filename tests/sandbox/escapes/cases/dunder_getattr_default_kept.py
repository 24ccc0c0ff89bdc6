# family: dunder
# expect: blocked
# control: naive
# why: A forbidden name with a default gives the default.
if getattr(lambda: 0, "__glo" + "bals__", None) is not None: breach("globals")
