# family: copying
# expect: blocked
# control: naive
# why: Nor for its own copier, where only a special name in an instance says so.
from types import SimpleNamespace
import copy
n = SimpleNamespace(**{"__deepcopy__": lambda m: breach("called")})
copy.deepcopy(n)
