# family: addresses
# expect: blocked
# control: plain
# why: No text and no hash tells where an object lies.
kept = [float("nan") for _ in range(20)]
if len({hash(one) for one in kept}) > 1: breach("address")
