# family: classes
# expect: blocked
# control: none
# why: Functions of the host take attributes, but nothing of the host reads them.
import statistics
statistics.mean.cache = 1
if statistics.mean([1, 3]) != 2: breach("changed")
