# family: frames
# expect: blocked
# control: plain
# why: A name built at run time meets the guard.
class C:
    def __enter__(self): return self
    def __exit__(self, t, v, tb):
        hand_over(getattr(tb, "tb_" + "frame"))
        return False
with C(): 1 / 0
