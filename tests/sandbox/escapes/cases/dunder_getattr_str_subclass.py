# family: dunder
# expect: blocked
# control: none
# why: A name that lies about itself is no plain string.
class K(str):
    def startswith(self, *a): return False
    def __eq__(self, o): return False
    def __hash__(self): return 1
hand_over(getattr(lambda: 0, K("__globals__")))
