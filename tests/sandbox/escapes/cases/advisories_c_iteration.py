# family: advisories
# expect: blocked
# control: none
# why: Changed in 9.0: bytes, sorted, tuple and zip iterate in C past a guarded iterator; there is none here to pass.
hand_over(list(zip(sorted((2, 1)), tuple(bytes(2)))))
raise ValueError('nothing was gained')
