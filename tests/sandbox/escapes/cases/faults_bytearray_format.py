# family: faults
# expect: blocked
# control: none
# why: Nor does %, which prints the bot's own objects.
class Clearing:
    def __repr__(self):
        text.clear()
        Clearing.kept = [b"7" * 4990 for _ in range(20)]
        return "x"
text = bytearray(b"%r" + b"A" * 5000)
if set(text % (Clearing(),)) - set(b"xA"): breach("memory")
