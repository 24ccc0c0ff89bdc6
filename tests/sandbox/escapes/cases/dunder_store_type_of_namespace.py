# family: dunder
# expect: blocked
# control: plain
# why: An attribute under a special name cannot be stored, whichever way.
import types
breach(type(types.SimpleNamespace())(**{"__array_interface__": 1}))
