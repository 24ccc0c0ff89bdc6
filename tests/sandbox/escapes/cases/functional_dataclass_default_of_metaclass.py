# family: functional
# expect: blocked
# control: plain
# why: A field's default is not a method of the class's class.
from dataclasses import dataclass
@dataclass
class Order:
    mro: object
breach(vars(Order())["mro"]())
