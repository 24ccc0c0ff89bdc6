# family: facades
# expect: refused
# control: naive
# why: A facade has only the names of its table.
import json
hand_over(json.decoder)
breach("decoder")
