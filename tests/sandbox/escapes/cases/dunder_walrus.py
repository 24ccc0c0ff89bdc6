# family: dunder
# expect: refused
# control: plain
# why: A name bound by a walrus does not hide the attribute.
hand_over([y for x in [1] if (y := (lambda: 0).__globals__)][0])
