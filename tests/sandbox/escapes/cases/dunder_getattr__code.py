# family: dunder
# expect: blocked
# control: naive
# why: A name built at run time meets the guard.
def f(): pass
hand_over(getattr(f, "__" + "code__"))
