# family: imports
# expect: refused
# control: none
# why: So are relative ones.
from . import x
from .. import y
