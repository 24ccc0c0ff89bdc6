# family: classes
# expect: blocked
# control: naive
# why: Neither does EnumMeta.
from enum import EnumMeta
hand_over(EnumMeta)
X = EnumMeta("X", (), {})
breach("class made")
