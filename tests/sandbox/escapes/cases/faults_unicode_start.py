# family: faults
# expect: blocked
# control: plain
# why: The text of an error is read within its bounds only.
error = UnicodeDecodeError("utf8", b"abc", 0, 1, "r")
error.start, error.end = -40, -39
if "byte 0x" in str(error): breach("memory")
