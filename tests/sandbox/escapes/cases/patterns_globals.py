# family: patterns
# expect: refused
# control: plain
# why: Patterns read attributes natively, so they name only harmless ones.
match (lambda: 0):
    case object(__globals__=g): hand_over(g)
