# family: facades
# expect: refused
# control: naive
# why: A facade has only the names of its table.
import statistics
hand_over(statistics.sys)
breach("sys")
