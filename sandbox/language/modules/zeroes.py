"""New numpy arrays hold zeros, whichever function makes them.

What memory held before may be a price the bot must not know yet. Many ways lead to an array that numpy
does not fill (`np.empty`, `where=` without `out=`, `np.pad(mode="empty")`, the gaps of a padded dtype), so
the memory itself is cleared: numpy asks an allocator of ours, whose `malloc` is the C library's `calloc`.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

# Places in numpy's table of C functions, which its binary interface keeps (numpy/_core/code_generators).
_SET_HANDLER, _GET_HANDLER = 304, 305
_CAPSULE, _NAME = b"mem_handler", b"zeroed"


class _Allocator(ctypes.Structure):
    """`PyDataMemAllocator`; each function takes the context first, so that `calloc(1, size)` is a `malloc`."""

    _fields_ = (
        ("context", ctypes.c_void_p), ("malloc", ctypes.c_void_p), ("calloc", ctypes.c_void_p),
        ("realloc", ctypes.c_void_p), ("free", ctypes.c_void_p),
    )  # fmt: skip


class _Handler(ctypes.Structure):
    """`PyDataMem_Handler`, version 1 (NEP 49)."""

    _fields_ = (("name", ctypes.c_char * 127), ("version", ctypes.c_uint8), ("allocator", _Allocator))


# Used by every array made from then on.
_handler = _Handler()


def zero_new_arrays() -> None:
    """Put the allocator in place for this process and its children, and see that it works."""
    core: Any = np._core  # type: ignore[attr-defined]  # noqa: SLF001
    if core.multiarray.get_handler_name(np.empty(1)) != _NAME.decode():
        _install()
    stale = [np.full(64, 7.0) for _ in range(16)]
    del stale
    if any(np.empty(64).any() for _ in range(16)):
        raise RuntimeError("numpy does not take its memory from the allocator it was given")


def _install() -> None:
    api = ctypes.pythonapi
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    api.PyCapsule_New.restype = ctypes.py_object
    api.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    exported: Any = np._core._multiarray_umath._ARRAY_API  # type: ignore[attr-defined]  # noqa: SLF001
    table = ctypes.cast(api.PyCapsule_GetPointer(exported, None), ctypes.POINTER(ctypes.c_void_p))
    usual = ctypes.PYFUNCTYPE(ctypes.py_object)(table[_GET_HANDLER])()
    known = _Handler.from_address(api.PyCapsule_GetPointer(usual, _CAPSULE))
    if (known.name, known.version) != (b"default_allocator", 1):
        raise RuntimeError("numpy's allocator is not the one that is known")
    ctypes.memmove(ctypes.byref(_handler), ctypes.byref(known), ctypes.sizeof(_Handler))
    _handler.name = _NAME
    _handler.allocator.context = 1
    _handler.allocator.malloc = ctypes.cast(ctypes.CDLL(None).calloc, ctypes.c_void_p)
    replace = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(table[_SET_HANDLER])
    replace(api.PyCapsule_New(ctypes.addressof(_handler), _CAPSULE, None))
