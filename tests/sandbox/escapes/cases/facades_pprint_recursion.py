# family: facades
# expect: blocked
# control: plain
# why: What is printed tells no address.
import pprint
x = []
x.append(x)
if "id=" in pprint.pformat(x): breach(pprint.pformat(x))
