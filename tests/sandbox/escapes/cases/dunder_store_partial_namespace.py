# family: dunder
# expect: blocked
# control: plain
# why: An attribute under a special name cannot be stored, whichever way.
import functools, types
breach(functools.partial(types.SimpleNamespace, **{"__array_interface__": 1})())
