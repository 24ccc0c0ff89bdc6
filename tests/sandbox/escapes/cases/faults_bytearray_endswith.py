# family: faults
# expect: blocked
# control: none
# why: Nor does endswith.
class Clearing:
    def __index__(self):
        text.clear()
        Clearing.kept = [bytes([7]) * 5000 for _ in range(20)]
        return 0
text = bytearray(b"A" * 5000)
for last in range(256):
    text = bytearray(b"A" * 5000)
    if text.endswith(bytes([last]), Clearing()): breach("memory")
