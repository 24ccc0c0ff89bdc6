# family: copying
# expect: blocked
# control: none
# why: A string that claims to be a harmless name does not become a special one by a copy.
import copy, random
import numpy as np
class Name(str):
    hashes = []
    def __hash__(self): return Name.hashes.pop(0) if Name.hashes else hash("__array_interface__")
    def __eq__(self, other): return True
class Source(random.Random):
    def getstate(self):
        return {Name("__array_interface__"): {"shape": (0,), "typestr": "<i8", "data": (1, True), "version": 3}}
for count in range(5):
    source = Source(1)
    Name.hashes = [hash("__doc__")] * count
    try:
        copied = copy.copy(source)
    except TypeError:
        continue
    if np.array(copied).shape == (0,): breach("memory at an address of the bot's choice")
