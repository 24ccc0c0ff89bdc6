# family: facades
# expect: blocked
# control: plain
# why: A facade has only the names of its table.
import dataclasses
hand_over(dataclasses.sys)
breach("sys")
