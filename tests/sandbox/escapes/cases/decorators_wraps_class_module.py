# family: decorators
# expect: blocked
# control: plain
# why: A bot's class stays known as one.
import functools
class A: pass
try: functools.update_wrapper(A, len)
except AttributeError: pass
if repr(A) == "<class 'len'>": breach(A)
