# family: dunder
# expect: refused
# control: none
# why: A chain of special attributes is refused where it is written.
hand_over({}.__class__.__getattribute__(len, '__self__'))
