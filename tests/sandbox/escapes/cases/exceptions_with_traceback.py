# family: exceptions
# expect: blocked
# control: naive
# why: No traceback can be attached.
ValueError().with_traceback(None)
breach("attached")
