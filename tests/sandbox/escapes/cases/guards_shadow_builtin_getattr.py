# family: guards
# expect: blocked
# control: plain
# why: A bot that rebinds getattr changes only its own name.
getattr = lambda *a: "mine"
class S(str): pass
hand_over(S("{0.__globals__}").format(lambda: 0))
