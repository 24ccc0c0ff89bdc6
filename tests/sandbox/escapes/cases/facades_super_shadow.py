# family: facades
# expect: refused
# control: none
# why: A function named super cannot stand in for the real one.
import math
def super(*a): return math
super().__init__("math", {"sqrt": 1})
if math.sqrt == 1: breach("poisoned")
