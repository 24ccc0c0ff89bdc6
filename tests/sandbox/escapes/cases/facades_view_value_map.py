# family: facades
# expect: blocked
# control: plain
# why: A view of a table of the host's is a copy: a comparison hands over what is behind it.
import enum
class E(enum.Enum):
    A = 1
E._value2member_map_ == {}

class Thief:
    def __eq__(self, other): other[7] = E.A; return True
    def __ror__(self, other): other["B"] = 1; return other
E._value2member_map_ == Thief()
try:
    breach(E(7))
except ValueError: pass
