# family: facades
# expect: refused
# control: plain
# why: A facade has only the names of its table.
import collections
hand_over(collections._sys)
breach("_sys")
