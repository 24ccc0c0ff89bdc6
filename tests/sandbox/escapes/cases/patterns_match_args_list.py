# family: patterns
# expect: refused
# control: none
# why: __match_args__ is a tuple of plain names.
class A:
    __match_args__ = ("__dict__",)
