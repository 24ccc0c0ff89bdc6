# family: dunder
# expect: blocked
# control: plain
# why: An attribute under a special name cannot be stored, whichever way.
import json, types
made = json.loads('{"__array_interface__": 1}', object_hook=lambda found: types.SimpleNamespace(**found))
breach(made)
