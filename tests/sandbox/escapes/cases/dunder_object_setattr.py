# family: dunder
# expect: blocked
# control: plain
# why: object.__setattr__ works on plain names of own objects only.
class A: pass
class B: x = 1
a = A()
object.__setattr__(a, "__class__", B)
breach("class changed")
