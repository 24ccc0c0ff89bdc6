# family: dunder
# expect: blocked
# control: none
# why: A function keeps its code.
def f(): return 1
def g(): return 2
setattr(f, "__co" + "de__", g)
breach("stored")
