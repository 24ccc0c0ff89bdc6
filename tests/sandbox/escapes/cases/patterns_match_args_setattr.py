# family: patterns
# expect: blocked
# control: plain
# why: And not changed later.
class A: pass
setattr(A, "__match_" + "args__", ("__dict__",))
breach("stored")
