# family: format
# expect: refused
# control: naive
# why: In either form.
def f(): pass
class S(str): pass
hand_over(super(S, S("{0.__globals__}")).format(f))
