# family: facades
# expect: refused
# control: naive
# why: A facade has only the names of its table.
import dataclasses
hand_over(dataclasses.sys)
breach("sys")
