# family: frames
# expect: refused
# control: none
# why: Frames, code and tracebacks have no readable attribute.
def f(x): return x.co_consts
