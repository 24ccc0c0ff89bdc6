# family: imports
# expect: refused
# control: none
# why: Future flags that change the grammar are refused.
from __future__ import barry_as_FLUFL
