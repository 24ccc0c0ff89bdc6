# family: dunder
# expect: refused
# control: plain
# why: A chain of special attributes is refused where it is written.
hand_over(().__class__.__base__.__subclasses__())
