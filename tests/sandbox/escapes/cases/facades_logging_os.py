# family: facades
# expect: refused
# control: naive
# why: A facade has only the names of its table.
import logging
hand_over(logging.os)
breach("os")
