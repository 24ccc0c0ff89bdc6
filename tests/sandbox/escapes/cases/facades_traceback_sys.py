# family: facades
# expect: refused
# control: plain
# why: A facade has only the names of its table.
import traceback
hand_over(traceback.sys)
breach("sys")
