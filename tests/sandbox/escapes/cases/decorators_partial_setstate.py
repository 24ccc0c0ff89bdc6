# family: decorators
# expect: refused
# control: plain
# why: And takes no state.
from functools import partial
p = partial(print)
p.__setstate__((print, (), {}, {"__array_interface__": 1}))
breach("set")
