"""Arrays and numpy's scalars give their raw bytes only where these are values.

Those of an object array are addresses, those of a long double end in what the stack held, and those of a
variable-length string point into the heap. Every way to raw bytes but `tobytes` is the buffer protocol
(`bytes(a)`, `b"".join([a])`, `str(a, "latin1")`, `int.from_bytes(a)`, ...), so the types' own slots are the place.
"""

from __future__ import annotations

import ctypes
import mmap
from typing import Any

import numpy as np

# Where a type object keeps its buffer procedures, just before its flags (Include/cpython/object.h), and
# where a Py_buffer keeps the object that it is of.
_PROCEDURES, _VIEW_OWNER = 160, 8
_GetBuffer = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_void_p, ctypes.c_int)


class _Procedures(ctypes.Structure):
    """`PyBufferProcs`."""

    _fields_ = (("get", ctypes.c_void_p), ("release", ctypes.c_void_p))


# Called and used for as long as the process lives.
_kept: list[object] = []


def are_values(dtype: np.dtype[Any]) -> bool:
    """Say whether the bytes of this dtype are numbers, texts and times, and nothing of the interpreter's."""
    if dtype.subdtype is not None:
        return are_values(dtype.subdtype[0])
    if dtype.names is not None:
        return all(are_values(dtype[name]) for name in dtype.names)
    return dtype.kind in "biufcSUmM" and dtype.char not in "gG"


def check_bytes(owner: object) -> None:
    """Refuse `tobytes` where the bytes are no values; of a class, because it would do for any array."""
    if isinstance(owner, type) or not are_values(owner.dtype):  # type: ignore[attr-defined]
        raise TypeError("the bytes of such an array are not values; use tolist()")


def guard_buffers() -> None:
    """Put the check before numpy's own procedures, once in a process."""
    if _kept:
        return
    for kind in (np.ndarray, np.void):
        _guard(kind)
    for scalar in (np.longdouble, np.clongdouble):
        ctypes.c_void_p.from_address(id(scalar) + _PROCEDURES).value = None
    _seal()
    probe = np.array([None])
    try:
        bytes(probe)
    except SystemError:
        return
    raise RuntimeError("numpy's arrays still give away their bytes")


def _guard(kind: type) -> None:
    place = ctypes.c_void_p.from_address(id(kind) + _PROCEDURES)
    usual = _Procedures.from_address(place.value or 0)
    get, clear = _GetBuffer(usual.get or 0), ctypes.memset

    def get_checked(owner: Any, view: int, flags: int) -> int:
        try:
            if are_values(owner.dtype):
                return int(get(owner, view, flags))
        except Exception:  # noqa: BLE001, S110 - C is told by the return value alone, and raises SystemError
            pass
        clear(view + _VIEW_OWNER, 0, 8)
        return -1

    checked = _GetBuffer(get_checked)
    # Never freed, not even at the end: its page is sealed.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(checked))
    own = _Procedures(ctypes.cast(checked, ctypes.c_void_p), usual.release)
    _kept.extend((checked, own, get))
    place.value = ctypes.addressof(own)


def _seal() -> None:
    """Take away the right to write from the page that holds the code of these checks; no other is made later."""
    address = ctypes.cast(_kept[0], ctypes.c_void_p).value or 0  # type: ignore[arg-type]
    start = address - address % mmap.PAGESIZE
    if ctypes.CDLL(None).mprotect(ctypes.c_void_p(start), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC):
        raise RuntimeError("the code of the checks stays writable")
