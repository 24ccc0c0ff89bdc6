# family: facades
# expect: refused
# control: naive
# why: A facade has only the names of its table.
import datetime
hand_over(datetime.sys)
breach("sys")
