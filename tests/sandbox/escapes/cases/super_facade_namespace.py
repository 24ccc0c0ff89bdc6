# family: super
# expect: blocked
# control: none
# why: The first argument of super() is a class of the bot's own; a facade's own base is not the bot's to ask.
from types import SimpleNamespace
import numpy as np
it = SimpleNamespace()
super(SimpleNamespace, it).__init__(**{"__array_interface__": {"shape": (8,), "typestr": "|u1", "data": (4096, True), "version": 3}})
breach("memory")
