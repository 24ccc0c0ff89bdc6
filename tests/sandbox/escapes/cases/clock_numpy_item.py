# family: clock
# expect: blocked
# control: plain
# why: The time is that of the tick, whichever object is asked.
import numpy as np
if np.datetime64("2020-01-01T00:00").item().now().year != 2023: breach("clock")
