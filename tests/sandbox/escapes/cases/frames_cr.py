# family: frames
# expect: refused
# control: none
# why: Frames, code and tracebacks have no readable attribute.
hand_over((lambda: 0).cr_frame)
