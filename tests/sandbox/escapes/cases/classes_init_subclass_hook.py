# family: classes
# expect: blocked
# control: plain
# why: Nor can __init_subclass__.
class B:
    def __init_subclass__(cls): setattr(cls, "__reduce_" + "ex__", 1)
class A(B): pass
breach("stored")
