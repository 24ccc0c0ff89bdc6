# family: classes
# expect: blocked
# control: naive
# why: The class shown for an instance is as closed.
import random
type(random.Random(1)).random = 1
breach("patched")
