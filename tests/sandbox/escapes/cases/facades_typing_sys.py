# family: facades
# expect: blocked
# control: naive
# why: A facade has only the names of its table.
import typing
hand_over(typing.sys)
breach("sys")
