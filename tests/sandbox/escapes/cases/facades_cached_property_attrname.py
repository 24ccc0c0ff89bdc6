# family: facades
# expect: blocked
# control: naive
# why: Nor to write a special name into an object.
from functools import cached_property
class A:
    p = cached_property(lambda s: {"shape": (1,)})
A.p.attrname = "__array_interface__"
a = A()
a.p
breach("stored")
