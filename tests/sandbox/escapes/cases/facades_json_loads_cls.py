# family: facades
# expect: blocked
# control: naive
# why: Nor a decoder class.
import json
class D:
    def __init__(self, **k): breach("built")
    def decode(self, s): return 1
json.loads("1", cls=D)
