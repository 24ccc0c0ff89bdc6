# family: facades
# expect: blocked
# control: none
# why: A callback of re gets a match and nothing else.
import re
re.sub("a", lambda m: (hand_over(m), hand_over(m.re), "")[2], "aaa")
hand_over(re.compile("a").scanner("aaa"))
