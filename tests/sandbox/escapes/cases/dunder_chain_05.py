# family: dunder
# expect: refused
# control: plain
# why: A chain of special attributes is refused where it is written.
hand_over(str.join.__objclass__.__mro__[1].__subclasses__())
