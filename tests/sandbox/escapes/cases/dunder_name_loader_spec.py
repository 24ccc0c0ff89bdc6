# family: dunder
# expect: refused
# control: none
# why: Nor what loaded the module.
hand_over(__loader__)
hand_over(__spec__)
