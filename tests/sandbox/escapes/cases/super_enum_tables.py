# family: super
# expect: blocked
# control: plain
# why: The tables that enum works with are given out as copies, by super() too.
import enum
class E(enum.Enum):
    A = 1
    def g(self): return super()._member_map_
class Thief:
    def __eq__(self, other): other["B"] = 1; return True
E.A.g() == Thief()
if "B" in E.A.g(): breach(E.A.g())
