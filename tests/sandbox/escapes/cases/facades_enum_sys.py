# family: facades
# expect: refused
# control: naive
# why: A facade has only the names of its table.
import enum
hand_over(enum.sys)
breach("sys")
