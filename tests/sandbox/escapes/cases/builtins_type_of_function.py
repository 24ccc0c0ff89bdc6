# family: builtins
# expect: blocked
# control: naive
# why: The class of functions is only a label.
def f(): pass
T = type(f)
hand_over(T)
T(1, 2)
breach("function class")
