# family: frames
# expect: refused
# control: plain
# why: Frames, code and tracebacks have no readable attribute.
g = (i for i in [])
hand_over(g.gi_frame)
