# family: facades
# expect: blocked
# control: none
# why: A copy of a facade is the facade.
import copy, math
m = copy.copy(math)
hand_over(m)
m = copy.deepcopy([math])[0]
m.sqrt = 1
breach("stored")
