# family: dunder
# expect: refused
# control: plain
# why: A chain of special attributes is refused where it is written.
hand_over(object.__getattribute__(len, '__self__'))
