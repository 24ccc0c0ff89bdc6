"""Tells whether a function ever looks at one of its arguments, so that none need be made for it."""

from __future__ import annotations

import opcode
from functools import cache
from types import FunctionType


def reads_argument(function: object, index: int) -> bool:
    """Say whether a call may look at positional argument `index` (at most 15); in doubt it may.

    Only a plain function's own code is judged; a local that an inner function shares is a cell, and counts as
    read. Bots have no `locals`, `vars()` or frames by which to see it otherwise.
    """
    if type(function) is not FunctionType:
        return True
    code = function.__code__
    if code.co_argcount <= index or code.co_varnames[index] in code.co_cellvars:
        return True
    packed = code.co_code
    # Found between two instructions as well, which is one more doubt and no harm.
    return any(instruction in packed for instruction in _instructions(index))


@cache
def _instructions(index: int) -> tuple[bytes, ...]:
    """Return every instruction that names a local variable, as its two bytes."""
    found = []
    for op in (op for op in opcode.haslocal if op < 256):
        # Later Pythons have some that name two, a nibble each.
        two = opcode.opname[op].count("FAST") > 1
        arguments = {index} if not two else {*range(index << 4, (index << 4) + 16), *range(index, 256, 16)}
        found += [bytes((op, argument)) for argument in sorted(arguments)]
    return tuple(found)
