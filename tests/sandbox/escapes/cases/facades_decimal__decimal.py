# family: facades
# expect: refused
# control: none
# why: A facade has only the names of its table.
import decimal
hand_over(decimal._decimal)
breach("_decimal")
