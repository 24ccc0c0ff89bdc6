# family: facades
# expect: blocked
# control: plain
# why: A view of a table of the host's is a copy: a comparison hands over what is behind it.
import dataclasses
@dataclasses.dataclass
class X:
    a: int = 1
X.__dataclass_fields__.clear()
if not dataclasses.fields(X): breach('changed')
