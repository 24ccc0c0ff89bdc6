# family: classes
# expect: blocked
# control: naive
# why: Host classes are immutable.
from dataclasses import InitVar as K
K.injected = 1
breach("patched")
