# family: faults
# expect: blocked
# control: none
# why: A hint of no length leaves no byte unwritten.
class Hinting:
    left = 5
    def __iter__(self): return self
    def __next__(self):
        if not self.left: raise StopIteration
        self.left -= 1
        return 65
    def __length_hint__(self): return 0
text = bytearray()
text.extend(Hinting())
if text != b"AAAAA": breach("memory")
