# family: patterns
# expect: refused
# control: none
# why: Written out.
N = "x"
class A:
    __match_args__ = (N,)
