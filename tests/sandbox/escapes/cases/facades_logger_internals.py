# family: facades
# expect: blocked
# control: naive
# why: A logger has no handlers, parent or manager.
import logging
log = logging.getLogger("x")
hand_over(log.manager)
breach("manager")
