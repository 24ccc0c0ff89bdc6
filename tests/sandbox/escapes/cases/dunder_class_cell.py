# family: dunder
# expect: refused
# control: plain
# why: The class cell is no name of a bot.
class A:
    def f(self): return __class__
hand_over(type(A().f()) if True else 0)
