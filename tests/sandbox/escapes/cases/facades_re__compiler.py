# family: facades
# expect: refused
# control: plain
# why: A facade has only the names of its table.
import re
hand_over(re._compiler)
breach("_compiler")
