# family: callables
# expect: blocked
# control: naive
# why: What a host function calls back gets nothing more.
sorted([lambda: 0], key=lambda f: getattr(f, "__code__"))
breach("x")
