# family: facades
# expect: blocked
# control: naive
# why: Nor can the class be patched.
import logging
logging.Logger.info = lambda *a: 1
breach("patched")
