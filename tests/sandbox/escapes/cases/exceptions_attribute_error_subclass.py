# family: exceptions
# expect: blocked
# control: plain
# why: A subclass inherits the rule.
class E(AttributeError): pass
e = E("x", obj=1)
e.obj
breach("obj")
