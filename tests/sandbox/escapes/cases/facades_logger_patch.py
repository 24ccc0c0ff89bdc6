# family: facades
# expect: blocked
# control: plain
# why: Nor can the class be patched.
import logging
logging.Logger.info = lambda *a: 1
breach("patched")
