# family: dunder
# expect: refused
# control: plain
# why: A chain of special attributes is refused where it is written.
hand_over((lambda: 0).__closure__ or (lambda: 0).__builtins__)
