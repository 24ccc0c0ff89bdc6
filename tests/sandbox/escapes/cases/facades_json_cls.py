# family: facades
# expect: blocked
# control: naive
# why: json takes no encoder class.
import json
class E:
    def __init__(self, **k): breach("built with " + str(k))
    def encode(self, o): return "x"
json.dumps([], cls=E)
