# family: classes
# expect: blocked
# control: naive
# why: Host classes are immutable.
from json import JSONDecodeError as K
K.injected = 1
breach("patched")
