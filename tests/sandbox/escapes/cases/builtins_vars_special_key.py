# family: builtins
# expect: blocked
# control: plain
# why: An object takes no special name through its __dict__.
class A: pass
a = A()
vars(a)["__array_interface__"] = {"shape": (1,), "typestr": "|u1", "data": (4096, True), "version": 3}
breach("stored")
