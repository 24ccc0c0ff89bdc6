# family: dunder
# expect: blocked
# control: plain
# why: And in a format text.
import numpy as np
hand_over("{0.func_globals}".format(np.random.normal))
