# family: frames
# expect: blocked
# control: plain
# why: A name built at run time meets the guard.
class C:
    def __enter__(self): return self
    def __exit__(self, t, v, tb):
        hand_over("{0.tb_frame.f_globals}".format(tb))
        return False
with C(): 1 / 0
