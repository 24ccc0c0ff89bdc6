# family: builtins
# expect: blocked
# control: naive
# why: type makes no classes.
X = type("X", (object,), {"__getattribute__": lambda s, n: 1})
breach("class made")
