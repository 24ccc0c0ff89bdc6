# family: functional
# expect: blocked
# control: plain
# why: Lying names are no plain strings.
from enum import Enum
class K(str):
    def __getitem__(self, i): return "a"
X = Enum("X", {K("__reduce_ex__"): 1})
breach("made")
