# family: builtins
# expect: refused
# control: naive
# why: A built-in that is not offered is refused with what to use instead.
hand_over(id)
