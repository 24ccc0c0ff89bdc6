# family: classes
# expect: refused
# control: none
# why: Nor can an object say what to inherit from.
class B:
    def __mro_entries__(self, bases): return (type,)
class A(B()): pass
