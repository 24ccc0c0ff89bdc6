# family: frames
# expect: blocked
# control: naive
# why: A name built at run time meets the guard.
try:
    1 / 0
except Exception as e:
    hand_over(getattr(e, "__trace" + "back__"))
