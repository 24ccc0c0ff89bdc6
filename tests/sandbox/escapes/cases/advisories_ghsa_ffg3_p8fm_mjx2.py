# family: advisories
# expect: refused
# control: plain
# why: CVE-2026-55830: a positional-only argument shadowed the guards.
def f(_getattr_, _write_, /):
    return (lambda: 0).__globals__
hand_over(f(1, 2))
