# family: facades
# expect: blocked
# control: plain
# why: A view of a table of the host's is a copy: a comparison hands over what is behind it.
import dataclasses
@dataclasses.dataclass
class X:
    a: int = 1
class Thief:
    def __eq__(self, other): other["B"] = 1; return True
    def __ror__(self, other): other["B"] = 1; return other
f, = dataclasses.fields(X)
f.metadata == Thief()
if 'B' in f.metadata: breach('changed')
