# family: facades
# expect: blocked
# control: none
# why: Nor does a handler see records.
import logging
class H(logging.StreamHandler):
    def emit(self, record): breach("record")
logging.getLogger().addHandler(H())
logging.info("x")
