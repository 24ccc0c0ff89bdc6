"""How one exchange with a worker ended, in order of severity.

What a bot did wrong is a value here, never an exception. Only the server decides, from what it measured itself
(CPU clock, exit status, bytes); nothing a worker says about itself counts. An exception in a bot is part of its
reply, and its verdict is OK.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import IntEnum


class Verdict(IntEnum):
    """From harmless to hostile; a strike from TIMEOUT on, quarantine at once from CRASHED on."""

    OK = 0
    LATE = 1
    LOST = 2
    TIMEOUT = 3
    MEMORY = 4
    OUTPUT_LIMIT = 5
    PROTOCOL_ERROR = 6
    EXITED = 7
    CRASHED = 8
    SECURITY = 9

    @property
    def strikes(self) -> bool:
        """Say whether this counts against the bot."""
        return self >= Verdict.TIMEOUT

    @property
    def quarantines(self) -> bool:
        """Say whether this ends the bot at once."""
        return self >= Verdict.CRASHED


TRIPWIRE_EXIT = 86
MEMORY_EXIT = 87
LOCKDOWN_EXIT = 88
_NATIVE = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE)


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a worker is gone: the verdict and one sentence for the log."""

    verdict: Verdict
    reason: str


def read_exit(status: int, *, killed_for: Ending | None) -> Ending:
    """Read a wait status; `killed_for` is what we killed it for, if we did."""
    number = status & 0x7F
    if number == 0:
        return _read_code(status >> 8)
    if number == signal.SIGSYS:
        return Ending(Verdict.SECURITY, "made a forbidden system call")
    if number in _NATIVE:
        return Ending(Verdict.CRASHED, f"crashed natively ({signal.Signals(number).name})")
    if number == signal.SIGXCPU:
        return Ending(Verdict.TIMEOUT, "used up its lifetime CPU allowance")
    if killed_for is not None:
        return killed_for
    return Ending(Verdict.EXITED, f"was ended by signal {number}")


def _read_code(code: int) -> Ending:
    if code == TRIPWIRE_EXIT:
        return Ending(Verdict.SECURITY, "reached a host function that no bot may reach")
    if code == MEMORY_EXIT:
        return Ending(Verdict.MEMORY, "ran out of memory")
    if code == LOCKDOWN_EXIT:
        return Ending(Verdict.EXITED, "could not be locked down")
    return Ending(Verdict.EXITED, f"left the process with exit code {code}")
