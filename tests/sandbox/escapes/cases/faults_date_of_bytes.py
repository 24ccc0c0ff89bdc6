# family: faults
# expect: blocked
# control: none
# why: A date made of bytes has no weekday outside of the week.
import datetime as dt
for kind, rest in ((dt.date, b""), (dt.datetime, bytes(6))):
    for day in range(1, 8):
        try:
            kind(bytes([0, 0, 1, day]) + rest).ctime()
        except ValueError:
            continue
        breach("memory")
