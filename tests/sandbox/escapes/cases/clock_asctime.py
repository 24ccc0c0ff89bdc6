# family: clock
# expect: blocked
# control: plain
# why: The time is that of the tick, whichever object is asked.
import time
if "2023" not in time.asctime() or "2023" not in time.strftime("%c"): breach("clock")
