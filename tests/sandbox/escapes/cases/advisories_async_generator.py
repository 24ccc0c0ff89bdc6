# family: advisories
# expect: refused
# control: plain
# why: Fixed in 8.5: attributes of asynchronous generators.
async def g():
    yield 1
hand_over(g().ag_frame)
