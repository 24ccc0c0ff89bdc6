# family: functional
# expect: blocked
# control: plain
# why: A field does not read what a host base keeps.
from dataclasses import asdict, dataclass, field
@dataclass(eq=False)
class Text(str):
    text: str
    format: object = field(init=False)
breach(asdict(Text("{0.__class__.__mro__}"))["format"](1))
