# family: advisories
# expect: blocked
# control: plain
# why: Fixed in 7.2: a str subclass as the attribute name fooled safer_getattr.
class S(str):
    def startswith(self, *a):
        return False
hand_over(getattr(lambda: 0, S('__globals__')))
