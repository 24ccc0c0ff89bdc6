# family: facades
# expect: refused
# control: plain
# why: A facade has only the names of its table.
import heapq
hand_over(heapq.__loader__)
breach("__loader__")
