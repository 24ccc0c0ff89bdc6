# family: decorators
# expect: blocked
# control: naive
# why: Registrations stay in the bot's own table.
from functools import singledispatch
@singledispatch
def f(x): return 1
f.register(int, lambda x: 2)
hand_over(f.dispatch(int))
hand_over(f.registry)
breach("registry")
