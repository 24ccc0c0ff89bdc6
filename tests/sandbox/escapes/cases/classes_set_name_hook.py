# family: classes
# expect: blocked
# control: plain
# why: A hook cannot store special names on its owner.
class D:
    def __set_name__(self, owner, name): setattr(owner, "__array_interface__", {})
class A:
    x = D()
breach("stored")
