# family: frames
# expect: blocked
# control: naive
# why: A name built at run time meets the guard.
try:
    try:
        1 / 0
    except Exception:
        [][1]
except Exception as e:
    hand_over(getattr(getattr(e, "__con" + "text__"), "__trace" + "back__"))
