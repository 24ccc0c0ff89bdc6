# family: dunder
# expect: blocked
# control: plain
# why: An attribute under a special name cannot be stored, whichever way.
class A:
    __slots__ = {"__array_interface__": "a text"}
breach(A)
