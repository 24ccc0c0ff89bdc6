# family: faults
# expect: blocked
# control: none
# why: Nor does hex, whose separator has a length of the bot's own.
class Separator(str):
    def __len__(self):
        text.clear()
        Separator.kept = [bytes([7]) * 5000 for _ in range(20)]
        return 1
text = bytearray(b"A" * 5000)
if set(text.hex(Separator("-"), 4)) - set("41-"): breach("memory")
