# family: copying
# expect: blocked
# control: plain
# why: A memo is a table by address: a bot passes it on, and can neither read nor fill it.
import copy
class A:
    def __deepcopy__(self, memo):
        breach(list(memo.keys()))
        return self
copy.deepcopy([A(), A()])
