# family: classes
# expect: blocked
# control: plain
# why: No class can pass for the host's.
class A: pass
setattr(A, "__mod" + "ule__", "builtins")
breach("stored")
