# family: facades
# expect: refused
# control: naive
# why: A facade has only the names of its table.
import functools
hand_over(functools.GenericAlias)
breach("GenericAlias")
