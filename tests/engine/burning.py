"""The runtime of bots, with a function `burn(seconds)` that uses CPU until the process's own CPU clock says so.

A fixed number of loops takes a slow machine past a limit and a fast one not; this takes both there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from arena.runtime.bot import BotRuntime
from sandbox.host import Namespace


def burn(seconds: float) -> None:
    """Use so much CPU, in seconds."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


class BurningRuntime(BotRuntime):
    """Gives each bot `burn` among its globals."""

    def start(self, meta: bytes, load: Callable[[], Namespace]) -> bytes:
        return super().start(meta, lambda: _with_burn(load()))

    def named(self) -> dict[str, Any]:
        return super().named() | {"burn": burn}

    def reload(self, meta: bytes, load: Callable[[], Namespace]) -> None:
        super().reload(meta, lambda: _with_burn(load()))


def _with_burn(namespace: Namespace) -> Namespace:
    # The same dict: functions of the bot have it as their globals.
    namespace["burn"] = burn
    return namespace
