# family: facades
# expect: blocked
# control: none
# why: A facade has only the names of its table.
import re
hand_over(re._compiler)
breach("_compiler")
