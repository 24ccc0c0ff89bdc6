# family: frames
# expect: refused
# control: plain
# why: Frames, code and tracebacks have no readable attribute.
class C:
    def __enter__(self): return self
    def __exit__(self, t, v, tb):
        hand_over(tb.tb_frame)
        return True
with C(): 1 / 0
