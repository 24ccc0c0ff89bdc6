# family: dunder
# expect: refused
# control: plain
# why: Nor have the built-ins.
hand_over(__builtins__)
