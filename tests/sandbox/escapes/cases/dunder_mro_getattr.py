# family: dunder
# expect: blocked
# control: naive
# why: Dynamically too.
hand_over(getattr(int, "m" + "ro")())
breach("mro")
