# family: guards
# expect: blocked
# control: plain
# why: So with type.
type = 5
class A: pass
class B(A): pass
hand_over("{0.__globals__}".format(lambda: 0))
