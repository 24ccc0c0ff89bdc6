# family: dunder
# expect: refused
# control: naive
# why: Functions compiled by Cython have such names for their internals.
import numpy as np
hand_over(np.random.normal.func_code)
