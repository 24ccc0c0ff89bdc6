# family: classes
# expect: blocked
# control: plain
# why: A class with a host base is not all the bot's own.
class S(str):
    def f(self): return self.format(lambda: 0), self.format
hand_over(S("{0.__globals__}").f()[0])
