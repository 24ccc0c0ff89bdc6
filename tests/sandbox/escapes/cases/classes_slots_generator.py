# family: classes
# expect: blocked
# control: plain
# why: Nor a generator of them.
class A:
    __slots__ = (n for n in ["__array_" + "interface__"])
breach("slot")
