"""Tells whether a function ever looks at one of its arguments, so that none need be made for it."""

from __future__ import annotations

import opcode
from types import FunctionType

# Every instruction that names a local variable; later Pythons have some that name two, a nibble each.
_LOCAL = frozenset(opcode.haslocal)
_TWO_LOCALS = frozenset(op for op in _LOCAL if opcode.opname[op].count("FAST") > 1)


def reads_argument(function: object, index: int) -> bool:
    """Say whether a call may look at positional argument `index` (at most 15); in doubt it may.

    Only a plain function's own code is judged, instruction by instruction; a local that an inner function
    shares is a cell, and counts as read. Bots have no `locals`, `vars()` or frames by which to see it otherwise.
    """
    if type(function) is not FunctionType:
        return True
    code = function.__code__
    if code.co_argcount <= index or code.co_varnames[index] in code.co_cellvars:
        return True
    packed = code.co_code
    return any(
        op in _LOCAL and index in ((argument >> 4, argument & 15) if op in _TWO_LOCALS else (argument,))
        for op, argument in zip(packed[::2], packed[1::2], strict=True)
    )
