# family: facades
# expect: blocked
# control: plain
# why: A facade has only the names of its table.
import typing
hand_over(typing.sys)
breach("sys")
