# family: super
# expect: blocked
# control: plain
# why: super() gives what the class behind it gives out.
import collections
class C(collections.Counter):
    def g(self): return super()._keep_positive
breach(C().g())
