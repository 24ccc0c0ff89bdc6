# family: format
# expect: refused
# control: plain
# why: However the name is bound.
def f(): pass
class S(str):
    for __match_args__ in [("format",)]: pass
match S("{0.__globals__}"):
    case S(g): hand_over(g(f))
