# family: exceptions
# expect: refused
# control: plain
# why: Nor can it be taken apart.
hand_over(ValueError().__reduce_ex__(2)[0])
breach("reduced")
