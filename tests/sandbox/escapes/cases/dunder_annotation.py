# family: dunder
# expect: refused
# control: none
# why: Annotations are dropped, but what they name is still checked.
x: ().__class__.__base__.__subclasses__() = 1
