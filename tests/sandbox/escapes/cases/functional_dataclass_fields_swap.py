# family: functional
# expect: blocked
# control: none
# why: The fields of a dataclass are the bot's own.
from dataclasses import dataclass, fields, asdict
@dataclass
class A:
    x: int = 1
for f in fields(A):
    f.name = "__class__"
hand_over(asdict(A()) if False else 1)
