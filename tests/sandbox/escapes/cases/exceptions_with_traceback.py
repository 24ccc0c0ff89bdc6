# family: exceptions
# expect: blocked
# control: plain
# why: No traceback can be attached.
ValueError().with_traceback(None)
breach("attached")
