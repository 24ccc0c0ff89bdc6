# family: functional
# expect: blocked
# control: plain
# why: Nor does a comparison that a dataclass makes hand it to a bot's object.
from dataclasses import dataclass, field
class Spy:
    def __eq__(self, other):
        breach(other)
        return True
@dataclass
class Base:
    format: object = field(init=False)
class Text(Base, str):
    def __new__(cls, text): return str.__new__(cls, text)
    def __init__(self, text): pass
one, two = Text("{0}"), Text("{0}")
vars(two)["format"] = Spy()
Base.__eq__(one, two)
