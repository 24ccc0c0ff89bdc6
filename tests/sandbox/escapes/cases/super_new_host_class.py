# family: super
# expect: blocked
# control: plain
# why: What __new__ of a host class makes is an object of the bot's own.
import contextlib
class A:
    def make(self, kind): return super().__new__(kind)
breach(A().make(contextlib.ExitStack))
