"""Replaces members of classes that C code has defined, in a process that is a bot's alone."""

from __future__ import annotations

import ctypes
import gc

_modified = ctypes.pythonapi.PyType_Modified
_modified.argtypes = [ctypes.py_object]


def replace_members(kind: type, **members: object) -> None:
    """Put members into a class as if its author had; Python itself lets nobody do that to a class of C.

    For methods that are looked up by name. A special method also has a slot, which is not touched.
    """
    (table,) = gc.get_referents(kind.__dict__)
    table.update(members)
    _modified(kind)
