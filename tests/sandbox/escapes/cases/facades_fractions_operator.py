# family: facades
# expect: refused
# control: naive
# why: A facade has only the names of its table.
import fractions
hand_over(fractions.operator)
breach("operator")
