# family: faults
# expect: blocked
# control: plain
# why: The text of an error is read within its bounds only.
class Error(UnicodeDecodeError):
    def __init__(self):
        super().__init__("utf8", b"abc", -40, -39, "r")
if "byte 0x" in UnicodeDecodeError.__str__(Error()) + str(Error()): breach("memory")
