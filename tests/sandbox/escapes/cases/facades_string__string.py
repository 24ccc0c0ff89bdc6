# family: facades
# expect: refused
# control: plain
# why: A facade has only the names of its table.
import string
hand_over(string._string)
breach("_string")
