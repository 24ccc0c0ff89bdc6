# family: clock
# expect: blocked
# control: plain
# why: The time is that of the tick, whichever object is asked.
import datetime
if (datetime.datetime.max - datetime.timedelta(5)).utcnow().year != 2023: breach("clock")
