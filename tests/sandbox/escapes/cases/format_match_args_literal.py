# family: format
# expect: refused
# control: plain
# why: Nor by position.
def f(): pass
class S(str):
    __match_args__ = ("format",)
match S("{0.__globals__}"):
    case S(g): hand_over(g(f))
