# family: copying
# expect: blocked
# control: none
# why: replace works on own dataclasses.
from dataclasses import replace, fields, asdict
replace(1, x=2)
breach("replaced")
