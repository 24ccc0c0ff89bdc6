# family: decorators
# expect: blocked
# control: plain
# why: A wrapper takes over no special names from what it wraps.
import functools, math
class W: pass
w = W()
functools.update_wrapper(w, math)
if [name for name in vars(w) if name in ("__spec__", "__loader__", "__package__")]: breach(vars(w))
