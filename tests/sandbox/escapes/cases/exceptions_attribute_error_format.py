# family: exceptions
# expect: blocked
# control: plain
# why: By a format text too.
try:
    (lambda: 0).nothing
except AttributeError as e:
    "{0.obj}".format(e)
    breach("obj")
