"""Begins what takes longest, the sandbox, before the command line itself has been imported."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.process.launch import ZygoteLaunch

RUNTIME = "arena.runtime.bot:BotRuntime"
_SERVE = "serve"
_COMMANDS = frozenset({_SERVE, "backtest", "check", "robust", "tournament", "try", "verify"})
_HELP = frozenset({"-h", "--help"})
# Containers made between two looks for garbage. All but the server make few cycles and end soon: at Python's own
# 700 the looks would take a tenth of the time of a backtest.
_SELDOM = 100_000
_begun: list[ZygoteLaunch] = []


def begin(arguments: Sequence[str]) -> None:
    """Start a zygote where a command will want one; it ends with us where nobody takes it."""
    if sys.platform == "linux" and _COMMANDS & set(arguments[:1]) and not _HELP & set(arguments):
        from sandbox.process.launch import ZygoteLaunch

        _begun.append(ZygoteLaunch(RUNTIME))
        if arguments[0] != _SERVE:
            gc.set_threshold(_SELDOM)


def taken() -> ZygoteLaunch | None:
    """Return the zygote that was begun, once."""
    return _begun.pop() if _begun else None
