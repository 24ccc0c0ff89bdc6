# family: facades
# expect: refused
# control: naive
# why: A facade has only the names of its table.
import typing
hand_over(typing.sys)
breach("sys")
