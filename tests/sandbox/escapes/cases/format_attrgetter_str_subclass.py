# family: format
# expect: blocked
# control: naive
# why: With no lying strings.
def f(): pass
from operator import attrgetter
class K(str):
    def split(self, *a): return ["__globals__"]
hand_over(attrgetter(K("__globals__"))(f))
