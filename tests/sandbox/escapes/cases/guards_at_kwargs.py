# family: guards
# expect: blocked
# control: none
# why: As a keyword it is only a key.
def f(**k): return k
f(**{"@getattr": 1})
if "x".upper() != "X": breach("changed")
