# family: classes
# expect: blocked
# control: plain
# why: Nor strings that lie.
class K(str):
    def startswith(self, *a): return False
class A:
    __slots__ = (K("__reduce_ex__"),)
breach("slot")
