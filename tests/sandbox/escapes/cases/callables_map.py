# family: callables
# expect: blocked
# control: none
# why: What a host function calls back gets nothing more.
list(map(hand_over, [1]))
list(map(type, [lambda: 0]))[0](1, 2)
breach("x")
