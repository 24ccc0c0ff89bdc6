# family: builtins
# expect: blocked
# control: plain
# why: Not by update, setdefault or |= either.
class A: pass
a = A()
a.__dict__.update({"__reduce_ex__": 1})
breach("stored")
