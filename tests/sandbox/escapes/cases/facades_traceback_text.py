# family: facades
# expect: blocked
# control: plain
# why: A traceback is one line of text.
import traceback
try:
    1 / 0
except Exception:
    t = traceback.format_exc()
if "File" in t or "/" in t: breach(t)
