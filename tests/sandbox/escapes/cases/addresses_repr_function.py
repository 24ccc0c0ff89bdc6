# family: addresses
# expect: blocked
# control: plain
# why: No text and no hash tells where an object lies.
def f(): pass
if "0x" in repr(f) + str(lambda: 0) + f"{f}" + "%r" % (f,): breach("address")
