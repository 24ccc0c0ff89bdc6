# family: decorators
# expect: blocked
# control: naive
# why: A property cannot be stored on a host object.
import random
r = random.Random(1)
class A: pass
type(r).x = property(lambda s: 1)
breach("stored")
