# family: copying
# expect: refused
# control: none
# why: Nor as a keyword.
from types import SimpleNamespace
SimpleNamespace(__array_interface__=1)
