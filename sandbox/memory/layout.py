"""Sets and dicts as CPython lays them out, so that a restored one has the very order and calls no code of a bot.

A set gives its members in the order of its table, which depends on all that was ever added and removed: it is read
and written as a table. Keys are put into a dict with the hash that they had, because to ask for it may run a bot's
`__hash__`. Layouts: `PySetObject` (Include/cpython/setobject.h), `PyDictKeysObject` (Include/internal/pycore_dict.h),
alike in CPython 3.11 to 3.13; what is read is compared with what Python itself says.
"""

from __future__ import annotations

import ctypes
from typing import Any

_WORD = ctypes.c_ssize_t
_FILL, _USED, _MASK, _TABLE, _FINGER, _SMALL = 16, 24, 32, 40, 56, 64
_SMALLEST, _LARGEST = 7, (1 << 22) - 1
_KEYS, _VALUES = 32, 40
_INDEX_BYTES, _KIND, _COUNT, _INDICES = 9, 10, 24, 32
_GENERAL = 0

_api = ctypes.pythonapi
_insert = _api["_PyDict_SetItem_KnownHash"]
_insert.argtypes = [ctypes.py_object, ctypes.py_object, ctypes.py_object, _WORD]
_insert.restype = ctypes.c_int
_reserve = _api["PyMem_Malloc"]
_reserve.argtypes, _reserve.restype = [ctypes.c_size_t], ctypes.c_void_p
_hold = _api["Py_IncRef"]
_hold.argtypes, _hold.restype = [ctypes.py_object], None
_DUMMY: int = ctypes.c_void_p.in_dll(_api, "_PySet_Dummy").value or 0


class LayoutError(Exception):
    """Memory is not laid out as it should be."""


def _word(address: int) -> ctypes.c_ssize_t:
    return _WORD.from_address(address)


def read_set(held: set[Any] | frozenset[Any]) -> tuple[list[Any], list[int], list[int], list[int], int, int]:
    """Return the members, the place and hash of each, the places once used, the table's mask, and where `pop` looks."""
    start, mask = id(held), _word(id(held) + _MASK).value
    if not _SMALLEST <= mask <= _LARGEST:
        raise LayoutError("a set of this size")
    words = (_WORD * (2 * mask + 2)).from_address(_word(start + _TABLE).value)
    keys, hashes = list(words[0::2]), list(words[1::2])
    places = [place for place, key in enumerate(keys) if key and key != _DUMMY]
    members = list(set.__iter__(held) if isinstance(held, set) else frozenset.__iter__(held))
    if [id(member) for member in members] != [keys[place] for place in places]:
        raise LayoutError("a set that is not laid out as expected")
    left = [place for place, key in enumerate(keys) if key == _DUMMY]
    return members, places, [hashes[place] for place in places], left, mask, _word(start + _FINGER).value


def write_set(
    held: set[Any] | frozenset[Any], members: list[Any], places: list[int], hashes: list[int], left: list[int],
    mask: int, finger: int,
) -> None:  # fmt: skip
    """Fill an empty set with a table as it was; what could not have been read is refused."""
    used = [*places, *left]
    whole = all(type(number) is int for number in (*used, *hashes, mask, finger))
    sound = (
        whole and len(members) == len(places) == len(hashes) and len(set(used)) == len(used) <= mask
        and _SMALLEST <= mask <= _LARGEST and not mask & (mask + 1)
        and all(0 <= place <= mask for place in used) and 0 <= finger <= 2 * mask + 2
        and all(-(1 << 63) <= number < 1 << 63 and number != -1 for number in hashes)
    )  # fmt: skip
    start = id(held)
    if not sound or len(held) or _word(start + _MASK).value != _SMALLEST:
        raise LayoutError("a set that cannot be")
    if mask == _SMALLEST:
        table = start + _SMALL
    else:
        table = _reserve(16 * (mask + 1))
        if not table:
            raise MemoryError
    ctypes.memset(table, 0, 16 * (mask + 1))
    words = (_WORD * (2 * mask + 2)).from_address(table)
    for place in left:
        words[2 * place], words[2 * place + 1] = _DUMMY, -1
    for member, place, number in zip(members, places, hashes, strict=True):
        _hold(member)
        words[2 * place], words[2 * place + 1] = id(member), number
    _word(start + _FILL).value = len(used)
    _word(start + _USED).value = len(members)
    _word(start + _FINGER).value = finger
    _word(start + _TABLE).value = table
    _word(start + _MASK).value = mask


def key_hashes(table: dict[Any, Any]) -> list[int]:
    """Return the hash that each key of a dict was filed under, in the order of the keys."""
    keys = _word(id(table) + _KEYS).value
    if _word(id(table) + _VALUES).value or ctypes.c_uint8.from_address(keys + _KIND).value != _GENERAL:
        raise LayoutError("a dict that is not laid out as expected")
    first = keys + _INDICES + (1 << ctypes.c_uint8.from_address(keys + _INDEX_BYTES).value)
    count = _word(keys + _COUNT).value
    if not 0 <= count <= _LARGEST:
        raise LayoutError("a dict of this size")
    words = (_WORD * (3 * count)).from_address(first)
    live = [place for place in range(count) if words[3 * place + 2]]
    if [words[3 * place + 1] for place in live] != [id(key) for key in dict.__iter__(table)]:
        raise LayoutError("a dict that is not laid out as expected")
    return [words[3 * place] for place in live]


def insert(table: dict[Any, Any], key: Any, value: Any, number: int) -> None:
    """Put a key that was filed under this hash into a dict."""
    if type(number) is not int or number == -1 or not -(1 << 63) <= number < 1 << 63:
        raise LayoutError("a hash that cannot be")
    if _insert(table, key, value, number):
        raise LayoutError("a key that cannot be put in")
