# family: dunder
# expect: refused
# control: plain
# why: A chain of special attributes is refused where it is written.
hand_over(int.__dict__['__add__'].__objclass__.__subclasses__())
