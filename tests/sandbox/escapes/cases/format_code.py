# family: format
# expect: blocked
# control: none
# why: A format text reads attributes as the guard does.
def f(): pass
hand_over("{0.__code__.co_consts}".format(f))
