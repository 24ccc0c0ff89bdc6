# family: frames
# expect: refused
# control: plain
# why: Frames, code and tracebacks have no readable attribute.
def g(): yield from h()
def h(): yield 1
x = g(); next(x)
hand_over(x.gi_yieldfrom.gi_frame)
