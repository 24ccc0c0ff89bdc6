# family: decorators
# expect: blocked
# control: none
# why: A cache gives out counters only.
from functools import lru_cache
@lru_cache
def f(): return 1
hand_over(f.cache_parameters())
hand_over(f.cache_info())
hand_over(getattr(f, "__wrap" + "ped__"))
