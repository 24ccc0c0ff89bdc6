# family: functional
# expect: blocked
# control: none
# why: namedtuple evaluates code made of validated names only.
from collections import namedtuple
namedtuple("class", "def")
breach("made")
