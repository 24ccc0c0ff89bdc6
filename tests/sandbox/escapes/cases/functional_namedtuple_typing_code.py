# family: functional
# expect: blocked
# control: none
# why: namedtuple evaluates code made of validated names only.
from typing import NamedTuple
NamedTuple("X", [("a=breach(1)", int)])
breach("made")
