# family: copying
# expect: blocked
# control: none
# why: The memo of a deep copy holds copies only.
import copy, math
class A:
    def __deepcopy__(self, memo):
        for v in memo.values(): hand_over(v)
        return self
copy.deepcopy([math, A(), len, A])
