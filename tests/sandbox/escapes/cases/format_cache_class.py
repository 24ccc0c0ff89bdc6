# family: format
# expect: blocked
# control: naive
# why: Nor does a cache around it.
def f(): pass
from functools import lru_cache, cache
hand_over(cache(str).format("{0.__globals__}", f))
hand_over(lru_cache(None)(str).format("{0.__globals__}", f))
