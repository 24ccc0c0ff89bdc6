# family: dunder
# expect: refused
# control: plain
# why: A chain of special attributes is refused where it is written.
hand_over(''.__reduce_ex__(2)[0].__globals__)
