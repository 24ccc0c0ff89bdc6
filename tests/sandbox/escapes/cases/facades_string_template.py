# family: facades
# expect: refused
# control: naive
# why: There is no Template.
from string import Template
hand_over(Template)
