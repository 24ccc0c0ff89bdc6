# family: facades
# expect: refused
# control: naive
# why: A facade has only the names of its table.
import re
hand_over(re.enum)
breach("enum")
