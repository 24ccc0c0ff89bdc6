# family: frames
# expect: blocked
# control: naive
# why: A name built at run time meets the guard.
g = (i for i in [])
hand_over(getattr(g, "gi_" + "frame"))
