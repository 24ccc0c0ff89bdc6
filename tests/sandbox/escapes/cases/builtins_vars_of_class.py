# family: builtins
# expect: blocked
# control: plain
# why: And no classes.
class A: pass
hand_over(vars(A))
breach("class dict")
