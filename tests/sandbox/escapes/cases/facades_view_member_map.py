# family: facades
# expect: blocked
# control: plain
# why: A view of a table of the host's is a copy: a comparison hands over what is behind it.
import enum
class E(enum.Enum):
    A = 1
class Thief:
    def __eq__(self, other): other["B"] = 1; return True
    def __ror__(self, other): other["B"] = 1; return other
E._member_map_ == Thief()
if 'B' in E._member_map_: breach('changed')
