"""The cyclic collector stays out of a tick, and out of what a start has made."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from arena.engine.live import garbage


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """Note the generation of every collection that begins."""
    begun: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            begun.append(info["generation"])

    gc.callbacks.append(note)
    yield begun
    gc.callbacks.remove(note)


def much_garbage() -> None:
    for _ in range(10 * gc.get_threshold()[0]):
        loop: list[object] = []
        loop.append(loop)


def test_nothing_is_collected_while_it_rests_and_all_of_it_afterwards(collections: list[int]) -> None:
    with garbage.gc_paused():
        collections.clear()
        much_garbage()
        assert collections == []
    much_garbage()
    assert collections
    assert gc.isenabled()


def test_it_goes_on_after_a_fault() -> None:
    with pytest.raises(KeyError), garbage.gc_paused():
        raise KeyError
    assert gc.isenabled()


def test_what_is_kept_for_good_is_not_looked_at_again() -> None:
    kept = [[] for _ in range(1000)]
    before = gc.get_freeze_count()
    try:
        garbage.keep_for_good()
        assert gc.get_freeze_count() > before + len(kept)
    finally:
        gc.unfreeze()
