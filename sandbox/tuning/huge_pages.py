"""Puts the interpreter's code on huge pages, once, before any fork.

Hundreds of children take turns on a few CPUs, and after every switch each page of code that runs must be
found anew. One entry for two megabytes instead of one for every four kilobytes saves a tenth of a cold tick,
and a child needs neither page tables of its own for it nor the faults that fill them. Code and the constants
around it stay readable and executable, and not writable. Where the kernel gives no huge pages, or the code
does not fill one, all stays as it is.
"""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path

from sandbox.process import kernel

_SETTINGS = Path("/sys/kernel/mm/transparent_hugepage")


def move_code() -> bool:
    """Copy the interpreter's code to huge pages that take its place; False where that cannot be."""
    # Elsewhere, copied code must be flushed to the instruction cache first.
    if kernel.machine() != "x86_64":
        return False
    try:
        if "[never]" in (_SETTINGS / "enabled").read_text("ascii"):
            return False
        huge = int((_SETTINGS / "hpage_pmd_size").read_text("ascii"))
    except OSError:
        return False
    first, end = _span(Path("/proc/self/maps").read_text("utf-8", "replace"))
    first, end = -(-first // huge) * huge, end // huge * huge
    return first < end and _move(first, end - first, huge)


def _span(maps: str) -> tuple[int, int]:
    """Return where the file of the interpreter's code is mapped in one piece and not writable."""
    code = ctypes.cast(ctypes.pythonapi.Py_IncRef, ctypes.c_void_p).value or 0
    pieces: list[tuple[int, int, str]] = []
    for line in maps.splitlines():
        addresses, access, *_, name = line.split()
        first, end = (int(part, 16) for part in addresses.split("-"))
        if "w" in access or "r" not in access:
            continue
        if pieces and pieces[-1][1:] == (first, name):
            pieces[-1] = (pieces[-1][0], end, name)
        else:
            pieces.append((first, end, name))
    return next(((first, end) for first, end, _ in pieces if first <= code < end), (0, 0))


def _move(first: int, size: int, huge: int) -> bool:
    new = kernel.map_memory(size + huge)
    aligned = -(-new // huge) * huge
    try:
        kernel.advise_huge(aligned, size)
        ctypes.memmove(aligned, first, size)
        kernel.protect(aligned, size, mmap.PROT_READ | mmap.PROT_EXEC)
    except OSError:
        return False
    # What stands before and behind it is left over: never touched, so that it costs addresses only.
    kernel.move_memory(aligned, size, first)
    return True
