# family: classes
# expect: blocked
# control: plain
# why: An abstract class of the host takes no registrations.
import numbers
numbers.Number.register(str)
if isinstance("x", numbers.Number): breach("registered")
