# family: exceptions
# expect: blocked
# control: plain
# why: By getattr too.
try:
    (lambda: 0).nothing
except AttributeError as e:
    getattr(e, "o" + "bj")
    breach("obj")
