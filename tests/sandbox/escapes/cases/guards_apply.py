# family: guards
# expect: refused
# control: none
# why: No form of binding or naming reaches a guard or a name of the interpreter.
_apply_ = 1
