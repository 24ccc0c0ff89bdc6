# family: builtins
# expect: blocked
# control: plain
# why: type makes no classes.
X = type("X", (object,), {"__getattribute__": lambda s, n: 1})
breach("class made")
