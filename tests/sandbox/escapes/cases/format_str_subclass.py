# family: format
# expect: blocked
# control: plain
# why: A subclass of str formats like str.
def f(): pass
class S(str): pass
hand_over(S("{0.__globals__}").format(f))
