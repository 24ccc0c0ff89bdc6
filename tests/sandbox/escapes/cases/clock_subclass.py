# family: clock
# expect: blocked
# control: plain
# why: The time is that of the tick, whichever object is asked.
import datetime
class D(datetime.datetime):
    def ask(self): return super().now()
if D(2020, 1, 1).ask().year != 2023: breach("clock")
