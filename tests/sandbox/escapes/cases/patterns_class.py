# family: patterns
# expect: refused
# control: plain
# why: Patterns read attributes natively, so they name only harmless ones.
match 1:
    case object(__class__=c): hand_over(type(c))
