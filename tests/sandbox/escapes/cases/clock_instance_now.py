# family: clock
# expect: blocked
# control: plain
# why: The time is that of the tick, whichever object is asked.
import datetime
if datetime.datetime(2020, 1, 1).now().year != 2023: breach("clock")
