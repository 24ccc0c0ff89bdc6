# family: exceptions
# expect: blocked
# control: naive
# why: A subclass inherits the rule.
class E(AttributeError): pass
e = E("x", obj=1)
e.obj
breach("obj")
