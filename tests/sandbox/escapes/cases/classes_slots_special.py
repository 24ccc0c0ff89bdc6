# family: classes
# expect: blocked
# control: plain
# why: Slots take no special names.
class A:
    __slots__ = ("__array_interface__",)
breach("slot")
