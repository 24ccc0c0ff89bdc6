# family: format
# expect: blocked
# control: plain
# why: Nor by a value that is not written out.
def f(): pass
T = ("for" + "mat",)
class S(str):
    [__match_args__] = [T]
match S("{0.__globals__}"):
    case S(g): hand_over(g(f))
