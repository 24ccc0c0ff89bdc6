# family: facades
# expect: refused
# control: plain
# why: A facade has only the names of its table.
import pprint
hand_over(pprint._sys)
breach("_sys")
