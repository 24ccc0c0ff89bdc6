# family: advisories
# expect: refused
# control: plain
# why: CVE-2025-22153: handlers of except* reach past the guards.
try:
    raise ExceptionGroup('g', [ValueError()])
except* ValueError as e:
    hand_over(e.__traceback__.tb_frame)
