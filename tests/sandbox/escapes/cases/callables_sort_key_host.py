# family: callables
# expect: blocked
# control: none
# why: A host function as a key sees only the values.
import operator
hand_over(sorted([[1], [0]], key=operator.itemgetter(0)))
