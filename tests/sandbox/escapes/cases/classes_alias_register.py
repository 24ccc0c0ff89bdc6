# family: classes
# expect: blocked
# control: plain
# why: The alias of an abstract class hands on no more than the class.
from collections.abc import Callable
breach(Callable[[int], int].register)
