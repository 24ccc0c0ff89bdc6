# family: builtins
# expect: blocked
# control: naive
# why: So is that of generators.
T = type(i for i in [])
hand_over(T)
T.gi
breach("x")
