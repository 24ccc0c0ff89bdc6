# family: callables
# expect: blocked
# control: naive
# why: What a host function calls back gets nothing more.
import numpy as np
np.vectorize(lambda f: hand_over(getattr(f, "__globals__")), otypes="O")(np.array([lambda: 0], dtype=object))
