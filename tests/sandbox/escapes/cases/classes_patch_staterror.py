# family: classes
# expect: blocked
# control: naive
# why: Host classes are immutable.
from statistics import StatisticsError as K
K.injected = 1
breach("patched")
