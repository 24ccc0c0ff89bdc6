# family: dunder
# expect: blocked
# control: plain
# why: Dynamically too.
hand_over(getattr(int, "m" + "ro")())
breach("mro")
