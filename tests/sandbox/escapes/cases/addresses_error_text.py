# family: addresses
# expect: blocked
# control: plain
# why: No text and no hash tells where an object lies.
import json
def f(): pass
for act in (lambda: json.dumps(f), lambda: {}[f], lambda: [].remove(f)):
    try:
        act()
    except Exception as error:
        if "0x" in str(error) + repr(error): breach("address")
