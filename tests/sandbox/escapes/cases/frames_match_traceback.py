# family: frames
# expect: refused
# control: plain
# why: Patterns read no internals.
class C:
    def __enter__(self): return self
    def __exit__(self, t, v, tb):
        match tb:
            case object(tb_frame=f): hand_over(f)
        return True
with C(): 1 / 0
