# family: addresses
# expect: blocked
# control: plain
# why: No text and no hash tells where an object lies.
if "0x" in repr(i for i in []) + repr(object()) + repr(zip()) + repr([].append): breach("address")
