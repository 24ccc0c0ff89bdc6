# family: guards
# expect: blocked
# control: plain
# why: Nor can such a name be stored or read at run time.
class A: pass
a = A()
setattr(a, "@getattr", 1)
breach("stored")
