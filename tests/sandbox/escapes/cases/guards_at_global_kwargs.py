# family: guards
# expect: blocked
# control: none
# why: An object with such an attribute changes no guard.
from types import SimpleNamespace
s = SimpleNamespace(**{"@getattr": 1})
if "{:d}".format(1) != "1": breach("changed")
