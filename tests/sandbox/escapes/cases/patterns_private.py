# family: patterns
# expect: refused
# control: none
# why: Patterns read attributes natively, so they name only harmless ones.
match 1:
    case object(_abc_impl=x): pass
