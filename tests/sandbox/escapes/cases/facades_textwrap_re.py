# family: facades
# expect: refused
# control: naive
# why: A facade has only the names of its table.
import textwrap
hand_over(textwrap.re)
breach("re")
