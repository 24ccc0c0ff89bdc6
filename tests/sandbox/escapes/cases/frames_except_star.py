# family: frames
# expect: refused
# control: none
# why: Exception groups reach past the guards (CVE-2025-22153).
try:
    raise ExceptionGroup("g", [ValueError()])
except* ValueError as g:
    pass
