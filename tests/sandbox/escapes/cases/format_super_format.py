# family: format
# expect: refused
# control: naive
# why: super() gives no guarded name.
def f(): pass
class S(str):
    def go(self): return super().format(f)
hand_over(S("{0.__globals__}").go())
