# family: advisories
# expect: refused
# control: plain
# why: CVE-2023-37271: generator frames lead to the frames behind them.
def walk():
    yield me.gi_frame.f_back
me = walk()
hand_over(next(me))
