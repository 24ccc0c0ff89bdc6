# family: facades
# expect: blocked
# control: none
# why: A default callback gets the value alone.
import json
json.dumps({"a": object()}, default=lambda o: hand_over(o) or "x")
json.loads("[1]", object_hook=hand_over)
