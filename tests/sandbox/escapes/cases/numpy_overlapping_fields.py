# family: numpy
# expect: blocked
# control: none
# why: numpy itself refuses numbers over objects.
import numpy as np
d = np.dtype({"names": ["a", "b"], "formats": ["O", "i8"], "offsets": [0, 0]})
breach("made")
