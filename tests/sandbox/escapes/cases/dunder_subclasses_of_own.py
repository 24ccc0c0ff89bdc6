# family: dunder
# expect: refused
# control: none
# why: Not even own classes list their subclasses.
class A: pass
A.__subclasses__()
