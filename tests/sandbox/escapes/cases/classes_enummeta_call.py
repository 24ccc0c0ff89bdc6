# family: classes
# expect: blocked
# control: plain
# why: Neither does EnumMeta.
from enum import EnumMeta
hand_over(EnumMeta)
X = EnumMeta("X", (), {})
breach("class made")
