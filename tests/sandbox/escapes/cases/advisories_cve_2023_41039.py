# family: advisories
# expect: blocked
# control: plain
# why: CVE-2023-41039: str.format and format_map read attributes.
def f(): pass
hand_over(str.format('{0.__globals__}', f))
