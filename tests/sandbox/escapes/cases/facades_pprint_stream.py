# family: facades
# expect: blocked
# control: naive
# why: pprint writes to the log.
import pprint
class W:
    def write(self, t): breach("written")
pprint.pprint([1], stream=W())
