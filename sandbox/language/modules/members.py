"""Replaces members of classes that C code has defined, in a process that is for bots alone."""

from __future__ import annotations

import ctypes
import gc

# Places in `PyTypeObject` (Include/cpython/object.h), and of operators in the tables that it points to.
SLOTS = {"__repr__": 88, "__hash__": 120, "__str__": 136}
_OPERATORS = {"__mod__": (96, 24), "__contains__": (104, 56), "__setitem__": (112, 16)}
_modified = ctypes.pythonapi.PyType_Modified
_modified.argtypes = [ctypes.py_object]


class _Model:
    """Shows what the slots of a class hold whose methods are Python's."""

    def __repr__(self) -> str:
        return ""

    def __str__(self) -> str:
        return ""

    def __hash__(self) -> int:
        return 0

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def __contains__(self, item: object) -> bool:
        return False

    def __mod__(self, other: object) -> object:
        return NotImplemented


def word_at(address: int) -> ctypes.c_size_t:
    """Return the machine word at an address."""
    return ctypes.c_size_t.from_address(address)


def slot(kind: type, name: str) -> ctypes.c_size_t:
    """Return where a class of C keeps a special method."""
    return word_at(id(kind) + SLOTS[name])


BY_METHOD = {name: slot(_Model, name).value for name in SLOTS}


def replace_members(kind: type, **members: object) -> None:
    """Put members into a class as if its author had; Python itself lets nobody do that to a class of C.

    For methods that are looked up by name. A special method also has a slot, which is not touched.
    """
    (table,) = gc.get_referents(kind.__dict__)
    table.update(members)
    _modified(kind)


def replace_special(kind: type, name: str, function: object) -> None:
    """Give a class of C a special method of ours, and every class that has taken its slot over."""
    before = slot(kind, name).value
    replace_members(kind, **{name: function})
    for each in all_classes(kind):
        place = slot(each, name)
        if place.value == before:
            place.value = BY_METHOD[name]


def replace_operator(kind: type, name: str, function: object) -> None:
    """Give a class of C an operator of ours; items are still deleted by its own `__delitem__`."""
    before = _operator(kind, name).value
    model = _operator(_Model, name).value
    replace_members(kind, **{name: function})
    for each in all_classes(kind):
        place = _operator(each, name)
        if place.value == before:
            place.value = model


def _operator(kind: type, name: str) -> ctypes.c_size_t:
    table, place = _OPERATORS[name]
    return word_at(word_at(id(kind) + table).value + place)


def all_classes(kind: type) -> list[type]:
    """Return a class and all that inherit from it, in the order in which they were made."""
    found, known = [kind], {id(kind)}
    for each in found:
        # A metaclass's own `__subclasses__` wants to be called as a function of the class.
        heirs: list[type] = type.__subclasses__(each)
        for heir in heirs:
            if id(heir) not in known:
                known.add(id(heir))
                found.append(heir)
    return found
