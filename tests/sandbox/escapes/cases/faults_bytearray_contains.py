# family: faults
# expect: blocked
# control: none
# why: Nor does `in`.
class Clearing:
    def __index__(self):
        text.clear()
        Clearing.kept = [bytes([7]) * 5000 for _ in range(20)]
        return 7
text = bytearray(b"A" * 5000)
if Clearing() in text: breach("memory")
