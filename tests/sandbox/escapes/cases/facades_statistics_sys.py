# family: facades
# expect: blocked
# control: plain
# why: A facade has only the names of its table.
import statistics
hand_over(statistics.sys)
breach("sys")
