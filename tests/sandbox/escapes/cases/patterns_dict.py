# family: patterns
# expect: refused
# control: plain
# why: Patterns read attributes natively, so they name only harmless ones.
import math
match math:
    case object(__dict__=d): hand_over(d)
