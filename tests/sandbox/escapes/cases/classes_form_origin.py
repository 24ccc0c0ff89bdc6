# family: classes
# expect: blocked
# control: none
# why: No attribute of a typing form is the class that it stands for.
import typing
kind = typing.Type.origin
breach(kind("X", (object,), {"__array_interface__": 1}))
