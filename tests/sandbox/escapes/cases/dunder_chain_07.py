# family: dunder
# expect: refused
# control: none
# why: A chain of special attributes is refused where it is written.
hand_over(Exception.__init__.__objclass__.__base__.__subclasses__())
