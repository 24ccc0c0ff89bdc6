# family: classes
# expect: refused
# control: none
# why: Nor can it be inherited from.
from abc import ABCMeta
class M(ABCMeta): pass
