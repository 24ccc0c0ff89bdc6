# family: builtins
# expect: blocked
# control: none
# why: A property around a host function is the bot's own.
import statistics
class A:
    p = property(statistics.mean)
hand_over(A.p.fget)
hand_over(getattr(A.p, "fg" + "et"))
