# family: dunder
# expect: refused
# control: plain
# why: The import function has no name.
hand_over(__import__("os"))
