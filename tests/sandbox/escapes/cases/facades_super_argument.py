# family: facades
# expect: refused
# control: none
# why: Nor as a parameter.
import math
def f(super): super().__init__("math", {})
f(lambda: math)
