# family: functional
# expect: blocked
# control: plain
# why: Also where the base becomes a dataclass afterwards.
from dataclasses import asdict, dataclass, field
class Base:
    format: object = field(init=False)
class Text(Base, str):
    def __new__(cls, text): return str.__new__(cls, text)
    def __init__(self, text): pass
dataclass(eq=False)(Base)
breach(asdict(Text("{0.__class__.__mro__}"))["format"](1))
