# family: decorators
# expect: blocked
# control: plain
# why: An ExitStack keeps its callbacks.
from contextlib import ExitStack
with ExitStack() as s:
    s.callback(print)
    hand_over(s._exit_callbacks)
    breach("private")
