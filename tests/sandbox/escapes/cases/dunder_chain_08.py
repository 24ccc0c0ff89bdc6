# family: dunder
# expect: blocked
# control: none
# why: A chain of special attributes is refused where it is written.
hand_over(type.__call__(type, 'X', (), {}))
