# family: dunder
# expect: blocked
# control: naive
# why: Even the class is not given out by name.
c = getattr((), "__cl" + "ass__")
hand_over(getattr(getattr(c, "__ba" + "se__"), "__subcl" + "asses__")())
