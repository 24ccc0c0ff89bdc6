# family: super
# expect: blocked
# control: none
# why: A facade's own methods check what its real base would store.
from types import SimpleNamespace
class N(SimpleNamespace):
    def __init__(self): super().__init__(**{"__array_interface__": {"shape": (8,), "typestr": "|u1", "data": (4096, True), "version": 3}})
N()
breach("stored")
