# family: copying
# expect: blocked
# control: plain
# why: Nor by setattr.
from types import SimpleNamespace
setattr(SimpleNamespace(), "__array_interface__", 1)
breach("stored")
