# family: functional
# expect: blocked
# control: none
# why: A TypedDict makes plain dicts.
from typing import TypedDict
X = TypedDict("X", {"__class__": int})
hand_over(X(a=1))
