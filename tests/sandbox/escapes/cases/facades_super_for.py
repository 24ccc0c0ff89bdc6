# family: facades
# expect: refused
# control: none
# why: Nor as any other binding.
for super in []: pass
with x as super: pass
import math as super
(super := 1)
try: pass
except ValueError as super: pass
