# family: dunder
# expect: blocked
# control: plain
# why: An attribute under a special name cannot be stored, whichever way.
class Name(str):
    def startswith(self, *rest): return False
    def endswith(self, *rest): return False
    def __len__(self): return 0
class A: pass
a = A()
setattr(a, Name("__array_interface__"), 1)
breach(a)
