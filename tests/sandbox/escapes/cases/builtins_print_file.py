# family: builtins
# expect: blocked
# control: plain
# why: print has no file.
class W:
    def write(self, t): breach("written")
print("x", file=W(), flush=True)
