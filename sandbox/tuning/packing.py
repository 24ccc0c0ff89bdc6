"""Packs the objects that workers write to onto few pages.

Every page a worker writes to becomes its own copy, and in CPython 3.11 to use an object is to write to it:
its reference count changes. Where the few hundred objects that every worker uses lie among the tens of
thousands that it does not, each costs a page. New objects fill the holes that freed ones have left, so
the holes are filled first; what is made next then lies side by side.
"""

from __future__ import annotations

from collections.abc import Callable

# CPython's small-object allocator: pools of 16 KiB, each for blocks of one size.
_POOL, _STEP, _LARGEST = 16384, 16, 512
_BYTES_HEAD = 33
_kept: list[object] = []


def fill_holes() -> None:
    """Fill the free blocks of every pool in use, so that what follows gets pools of its own."""
    _fill(_STEP, object)
    _fill(2 * _STEP, complex)
    for size in range(3 * _STEP, _LARGEST + 1, _STEP):
        _fill(size, lambda size=size: bytes(size - _BYTES_HEAD))  # type: ignore[misc]


def _fill(size: int, make: Callable[[], object]) -> None:
    """Make objects of a size until most of a pool has come in one run, and the last of it too.

    What is made next begins a pool, whose head and first blocks are one page.
    """
    enough = _POOL // size * 3 // 4
    run, before = 0, 0
    # The bound is for an allocator of another build, whose runs are not ours to know.
    for _ in range(20 * enough):
        block = make()
        _kept.append(block)
        run = run + 1 if id(block) == before + size else 0
        before = id(block)
        if run >= enough and before % _POOL + 2 * size > _POOL:
            return
