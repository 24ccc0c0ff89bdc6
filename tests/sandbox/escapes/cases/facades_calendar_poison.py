# family: facades
# expect: blocked
# control: none
# why: What a facade lists cannot be changed.
import calendar
calendar.day_name[0] = "x"
breach("changed")
