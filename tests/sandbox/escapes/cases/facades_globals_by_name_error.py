# family: facades
# expect: blocked
# control: none
# why: A NameError holds a name, not a namespace.
try:
    undefined_name_here
except NameError as e:
    hand_over(e.name)
