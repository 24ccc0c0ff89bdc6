# family: copying
# expect: blocked
# control: none
# why: A namespace takes no special name from a mapping either.
from types import SimpleNamespace
n = SimpleNamespace({"__reduce_ex__": 1})
breach("made")
