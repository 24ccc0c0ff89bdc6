# family: advisories
# expect: blocked
# control: plain
# why: CVE-2024-47532: AttributeError.obj hands out the object that was asked.
import string
try:
    string.nothing_such
except AttributeError as e:
    hand_over(getattr(e, 'obj'))
