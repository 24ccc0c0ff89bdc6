# family: faults
# expect: blocked
# control: none
# why: A bytearray does not look where its bytes were before an argument cleared it.
class Clearing:
    def __index__(self):
        text.clear()
        Clearing.kept = [bytes([7]) * 5000 for _ in range(20)]
        return 0
text = bytearray(b"A" * 5000)
if text.rindex(bytes([7]), Clearing()) > -1: breach("memory")
