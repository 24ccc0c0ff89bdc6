# family: facades
# expect: blocked
# control: none
# why: No function hands out what is being handled.
import traceback
try:
    1 / 0
except Exception:
    hand_over(traceback.print_exc())
