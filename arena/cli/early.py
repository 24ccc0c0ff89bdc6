"""Begins what takes longest, the sandbox, before the command line itself has been imported."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.process.launch import ZygoteLaunch

RUNTIME = "arena.runtime.bot:BotRuntime"
_USUAL = gc.get_threshold()
_COMMANDS = frozenset({"backtest", "check", "robust", "serve", "tournament", "try", "verify"})
_HELP = frozenset({"-h", "--help"})
# Containers made between two looks for garbage. These commands make few cycles and end soon: at Python's own 700 the
# looks would take a tenth of the time of a backtest. So would they of a server's start, which ends with `as_usual`.
_SELDOM = 100_000
_begun: list[ZygoteLaunch] = []


def begin(arguments: Sequence[str]) -> None:
    """Start a zygote where a command will want one; it ends with us where nobody takes it."""
    if sys.platform == "linux" and _COMMANDS & set(arguments[:1]) and not _HELP & set(arguments):
        from sandbox.process.launch import ZygoteLaunch

        _begun.append(ZygoteLaunch(RUNTIME))
        gc.set_threshold(_SELDOM)


def taken() -> ZygoteLaunch | None:
    """Return the zygote that was begun, once."""
    return _begun.pop() if _begun else None


def as_usual() -> None:
    """Look for garbage as often as Python does by itself: for a process that is to run for long."""
    gc.set_threshold(*_USUAL)
