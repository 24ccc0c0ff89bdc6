# family: frames
# expect: refused
# control: plain
# why: There is no asynchronous code.
async def f(): return 1
hand_over(f().cr_frame)
