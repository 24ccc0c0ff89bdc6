# family: classes
# expect: blocked
# control: none
# why: A base that is no class is refused.
class A(5): pass
breach("made")
