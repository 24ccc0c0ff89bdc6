# family: facades
# expect: blocked
# control: plain
# why: A view of a table of the host's is a copy: a comparison hands over what is behind it.
import re
p = re.compile('(?P<a>x)')
class Thief:
    def __eq__(self, other): other["B"] = 1; return True
    def __ror__(self, other): other["B"] = 1; return other
p.groupindex == Thief()
if 'B' in p.groupindex: breach('changed')
