# family: copying
# expect: blocked
# control: plain
# why: A slot that was deleted does not show what it hid.
import copy
class Text(str):
    __slots__ = ("format", "__dict__")
text = Text("{0.__class__.__mro__}")
del Text.format
breach(vars(copy.copy(text))["format"](1))
