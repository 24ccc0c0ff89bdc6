# family: classes
# expect: blocked
# control: naive
# why: ABCMeta makes nothing when called.
from abc import ABCMeta
X = ABCMeta("X", (object,), {"__getattribute__": lambda s, n: 5})
breach("class made")
