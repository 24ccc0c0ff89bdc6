# family: facades
# expect: blocked
# control: plain
# why: A facade has only the names of its table.
import calendar
hand_over(calendar.sys)
breach("sys")
