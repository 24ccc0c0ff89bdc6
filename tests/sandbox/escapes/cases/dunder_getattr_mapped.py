# family: dunder
# expect: blocked
# control: naive
# why: The built-in handed to map is the guarded one.
hand_over(list(map(getattr, [lambda: 0], ["__glo" + "bals__"]))[0])
