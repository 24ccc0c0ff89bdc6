# family: facades
# expect: blocked
# control: plain
# why: A zone does not open files.
from zoneinfo import ZoneInfo
z = ZoneInfo("UTC")
hand_over(z.from_file)
breach("from_file")
