# family: dunder
# expect: blocked
# control: plain
# why: setattr refuses special names.
class A:
    def go(self): return 1
class B:
    def go(self): return 2
a = A()
setattr(a, "__cl" + "ass__", B)
if a.go() == 2: breach("class of an object changed")
