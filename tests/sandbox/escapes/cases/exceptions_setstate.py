# family: exceptions
# expect: refused
# control: plain
# why: No state can be set.
e = ValueError()
e.__setstate__({"__array_interface__": 1})
breach("set")
