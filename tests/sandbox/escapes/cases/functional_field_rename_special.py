# family: functional
# expect: blocked
# control: plain
# why: A field cannot be renamed to a special name, which asdict would read.
from dataclasses import dataclass, fields, asdict
@dataclass
class A:
    x: int = 1
fields(A)[0].name = "__class__"
asdict(A())
breach("read by a renamed field")
