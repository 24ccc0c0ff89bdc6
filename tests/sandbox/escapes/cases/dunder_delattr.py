# family: dunder
# expect: blocked
# control: plain
# why: delattr refuses special names.
def f(x=1): return x
delattr(f, "__defau" + "lts__")
breach("deleted")
