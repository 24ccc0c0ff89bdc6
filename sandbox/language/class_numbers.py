"""Hashes classes by a number that is the same in every process: the library's by name, a bot's by order of creation.

CPython hashes a class by its address, which differs from process to process, and C code (numpy's casts) keeps classes
in dicts that cannot be found to fill them again. So this begins in a zygote before numpy is imported, and a class's
hash never changes after it has first been asked for. While the library is imported, a callback gives the numbers.
For workers that is too slow: `finish` numbers what is left and puts C's own hash of context variables in its place,
which returns the field that in a class is tp_vectorcall_offset. There the number is kept; a class that uses the field
(the types of functions and methods) hashes by that offset.
"""

from __future__ import annotations

import contextvars
import ctypes
import itertools

from sandbox.language.modules.members import all_classes, slot, word_at

# Of `PyTypeObject` (Include/cpython/object.h): tp_vectorcall_offset, and Py_TPFLAGS_HAVE_VECTORCALL.
_NUMBER = 56
_HAS_VECTOR_CALLS = 1 << 11
_numbers = itertools.count(1)
# Addresses of the library's classes that have a number; the field alone does not tell, for heirs take it over.
_numbered: set[int] = set()
_state = {"begun": False}


def number_class(kind: type) -> None:
    """Give a bot's new class the next number; nobody may have asked for its hash yet."""
    _set_number(kind, next(_numbers))


def _set_number(kind: type, number: int) -> None:
    # A class with vector calls uses the field, and so do its heirs, which lack the flag.
    if not any(base.__flags__ & _HAS_VECTOR_CALLS for base in kind.__mro__):
        # Below zero, for from Python 3.12 on a class is refused whose offset lies beyond its size; and never -1,
        # which says that hashing has failed.
        word_at(id(kind) + _NUMBER).value = (1 << 63) + number % (1 << 62)


def _hash_class(kind: type) -> int:
    address = id(kind)
    if address not in _numbered:
        _numbered.add(address)
        _set_number(kind, hash(type.__repr__(kind)))
    return ctypes.c_ssize_t.from_address(address + _NUMBER).value


_callback = ctypes.PYFUNCTYPE(ctypes.c_ssize_t, ctypes.py_object)(_hash_class)
# Never freed, not even when the interpreter ends: its code lies in a page that `raw_bytes` makes read-only.
ctypes.pythonapi.Py_IncRef(ctypes.py_object(_callback))


def begin() -> None:
    """Hash classes by number from now on; in a process that is for bots alone, before it imports numpy."""
    if not _state["begun"]:
        _state["begun"] = True
        _set_hash(ctypes.cast(_callback, ctypes.c_void_p).value or 0)


def finish() -> None:
    """Give the remaining classes a number, and let C return the numbers."""
    if not _state["begun"]:
        raise RuntimeError("classes have been filed under their addresses: class_numbers.begin() comes first")
    for kind in all_classes(object):
        _hash_class(kind)
    _set_hash(slot(contextvars.ContextVar, "__hash__").value)


def _set_hash(function: int) -> None:
    before = slot(type, "__hash__").value
    by_address = slot(object, "__hash__").value
    for meta in all_classes(type):
        place = slot(meta, "__hash__")
        if place.value in {before, by_address}:
            place.value = function
