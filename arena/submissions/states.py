"""The life of a submission as a table of legal moves.

`rejected` is the bot's fault, `failed` ours or the model server's, `cancelled` somebody's wish. A restart puts
whatever was under way back to `queued`; from there a bot that was enrolled already is `admitted`, and an answer
that was stored goes on being validated.
"""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where a submission stands."""

    QUEUED = "queued"
    GENERATING = "generating"
    VALIDATING = "validating"
    REPAIRING = "repairing"
    TESTING = "testing"
    ADMITTED = "admitted"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({Status.ADMITTED, Status.REJECTED, Status.FAILED, Status.CANCELLED})
_STOPS = frozenset({Status.FAILED, Status.CANCELLED, Status.QUEUED})

MOVES: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.GENERATING, Status.VALIDATING, Status.ADMITTED, Status.FAILED, Status.CANCELLED}),
    Status.GENERATING: _STOPS | {Status.VALIDATING, Status.REJECTED},
    Status.VALIDATING: _STOPS | {Status.REPAIRING, Status.TESTING, Status.REJECTED},
    Status.REPAIRING: _STOPS | {Status.VALIDATING, Status.REJECTED},
    Status.TESTING: _STOPS | {Status.ADMITTED, Status.REPAIRING, Status.REJECTED},
    Status.ADMITTED: frozenset(),
    Status.REJECTED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}


def check_move(old: Status, new: Status) -> None:
    """Raise ValueError where a move is not in the table: that would be a fault of ours."""
    if new not in MOVES[old]:
        raise ValueError(f"a submission cannot go from {old} to {new}")
