# family: functional
# expect: blocked
# control: plain
# why: Nor one of ABCMeta.
from abc import ABC
from dataclasses import dataclass
@dataclass
class Order(ABC):
    register: object
breach(vars(Order())["register"])
