# family: dunder
# expect: refused
# control: plain
# why: Nor what makes classes.
hand_over(__build_class__)
breach("named")
