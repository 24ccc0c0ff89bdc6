# family: exceptions
# expect: blocked
# control: none
# why: What an ImportError holds is text.
try:
    import nothing_here
except ImportError as e:
    hand_over(e.name)
    hand_over(e.path)
