# family: frames
# expect: refused
# control: plain
# why: Frames, code and tracebacks have no readable attribute.
try:
    1 / 0
except Exception as e:
    hand_over(e.__traceback__.tb_frame)
