# family: facades
# expect: refused
# control: plain
# why: A facade has only the names of its table.
import calendar
hand_over(calendar.sys)
breach("sys")
