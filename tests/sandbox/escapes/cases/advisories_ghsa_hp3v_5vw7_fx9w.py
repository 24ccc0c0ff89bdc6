# family: advisories
# expect: refused
# control: plain
# why: CVE-2026-76825: string.Formatter resolves attributes in its fields.
import string
def f(): pass
hand_over(string.Formatter().get_field('0.__globals__', (f,), {})[0])
