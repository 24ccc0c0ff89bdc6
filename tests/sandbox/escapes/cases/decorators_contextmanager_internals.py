# family: decorators
# expect: blocked
# control: plain
# why: A context manager gives out only the bot's generator.
from contextlib import contextmanager
@contextmanager
def cm(): yield 1
c = cm()
hand_over(c.gen)
hand_over(c.func)
hand_over(c._recreate_cm())
breach("private")
