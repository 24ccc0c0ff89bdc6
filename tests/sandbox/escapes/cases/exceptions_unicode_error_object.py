# family: exceptions
# expect: blocked
# control: none
# why: So with decoding errors.
try:
    b"\xff".decode("utf-8")
except UnicodeDecodeError as e:
    hand_over(e.object)
