# family: facades
# expect: refused
# control: naive
# why: A facade has only the names of its table.
import contextlib
hand_over(contextlib.os)
breach("os")
