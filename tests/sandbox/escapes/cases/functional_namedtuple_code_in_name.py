# family: functional
# expect: blocked
# control: none
# why: namedtuple evaluates code made of validated names only.
from collections import namedtuple
namedtuple("X", "a=breach(1)")
breach("made")
