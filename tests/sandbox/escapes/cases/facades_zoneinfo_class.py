# family: facades
# expect: blocked
# control: plain
# why: Nor does its class.
from zoneinfo import ZoneInfo
T = type(ZoneInfo("UTC"))
T.no_cache("UTC")
breach("class")
