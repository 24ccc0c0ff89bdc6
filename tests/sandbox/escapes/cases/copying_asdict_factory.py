# family: copying
# expect: blocked
# control: none
# why: asdict gives its factory pairs only.
from dataclasses import dataclass, asdict
@dataclass
class A:
    x: int = 1
asdict(A(), dict_factory=hand_over)
