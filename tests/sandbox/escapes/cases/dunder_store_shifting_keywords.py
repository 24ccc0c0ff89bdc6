# family: dunder
# expect: blocked
# control: none
# why: An attribute under a special name cannot be stored, whichever way.
import types
class Shifting:
    asked = 0
    def keys(self):
        self.asked += 1
        return ["a"] if self.asked < 2 else ["__array_interface__"]
    def __getitem__(self, key): return 1
made = types.SimpleNamespace(**Shifting())
if "__array_interface__" in vars(made): breach(made)
