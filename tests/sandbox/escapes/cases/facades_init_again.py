# family: facades
# expect: blocked
# control: none
# why: A facade cannot be made again with other members.
import math
math.__init__("math", {"sqrt": 1})
if math.sqrt == 1: breach("poisoned")
