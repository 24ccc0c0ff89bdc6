# family: builtins
# expect: blocked
# control: plain
# why: Not by setdefault.
class A: pass
a = A()
a.__dict__.setdefault("__deepcopy__", 1)
breach("stored")
