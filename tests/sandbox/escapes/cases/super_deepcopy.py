# family: super
# expect: blocked
# control: plain
# why: A host class's own __deepcopy__ takes a memo as it is.
import decimal
class D(decimal.Decimal):
    def g(self): return super().__deepcopy__
breach(D(1).g())
