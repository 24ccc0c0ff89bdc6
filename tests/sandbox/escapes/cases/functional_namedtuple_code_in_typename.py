# family: functional
# expect: blocked
# control: none
# why: namedtuple evaluates code made of validated names only.
from collections import namedtuple
namedtuple("X: pass\nbreach(1)\nclass Y", "a")
breach("made")
