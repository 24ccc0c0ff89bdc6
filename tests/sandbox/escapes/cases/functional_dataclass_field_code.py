# family: functional
# expect: refused
# control: none
# why: A dataclass field cannot have a special name.
from dataclasses import dataclass
@dataclass
class A:
    __class__: int = 1
    __reduce_ex__: int = 2
