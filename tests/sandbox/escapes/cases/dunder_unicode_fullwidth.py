# family: dunder
# expect: refused
# control: plain
# why: The parser folds look-alikes before the policy sees them.
hand_over((lambda: 0).__ｇｌｏｂａｌｓ__)
