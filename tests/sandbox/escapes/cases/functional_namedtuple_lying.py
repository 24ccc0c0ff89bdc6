# family: functional
# expect: blocked
# control: none
# why: namedtuple evaluates code made of validated names only.
from collections import namedtuple
class K(str):
    def isidentifier(self): return True
    def __str__(self): return self
namedtuple("X", [K("a, b=breach(1)")])
breach("made")
