# family: facades
# expect: refused
# control: none
# why: There is no Template.
from string import Template
hand_over(Template)
