"""Keeps the collector of cyclic garbage out of a tick's way.

A full collection looks at every object of the process while all its threads stand still: a tenth of a second
after a usual start, in which no bot is asked and no reader is served.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def keep_for_good() -> None:
    """Leave out of all collections to come what is there now; to be called once a process, when it has started."""
    gc.collect()
    gc.freeze()


@contextmanager
def gc_paused() -> Iterator[None]:
    """Let no collection begin meanwhile; one that falls due comes afterwards.

    What was made meanwhile and is given back before the end makes none fall due.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def end_pause() -> None:
    """Allow collections from now on: what was to be short has to wait for something else."""
    gc.enable()
