# family: format
# expect: blocked
# control: none
# why: Log formatting reads no attributes.
def f(): pass
import logging
logging.info("%(x)s {0.__globals__}", {"x": f})
