# family: classes
# expect: refused
# control: plain
# why: A class keyword with an underscore is for library code.
import enum
class E(enum.Enum, _simple=True):
    A = 1
breach(E)
