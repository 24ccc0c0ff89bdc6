# family: functional
# expect: blocked
# control: plain
# why: Nor does a field that is renamed.
from dataclasses import asdict, dataclass, fields
@dataclass(eq=False)
class Text(str):
    text: str
text = Text("{0.__class__.__mro__}")
fields(Text)[0].name = "format"
breach(asdict(text)["format"](1))
