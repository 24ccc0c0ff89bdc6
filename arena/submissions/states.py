"""The life of a submission as a table of legal moves.

`rejected` is the bot's fault, `failed` ours or the model server's. A restart puts whatever was under
way back to `queued`; from there a bot that was enrolled already is `admitted`, and an answer that was stored
goes on being validated.
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


FINAL = frozenset({Status.ADMITTED, Status.REJECTED, Status.FAILED})

MOVES: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.GENERATING, Status.VALIDATING, Status.ADMITTED, Status.FAILED}),
    Status.GENERATING: frozenset({Status.VALIDATING, Status.REJECTED, Status.FAILED, Status.QUEUED}),
    Status.VALIDATING: frozenset({Status.REPAIRING, Status.TESTING, Status.REJECTED, Status.FAILED, Status.QUEUED}),
    Status.REPAIRING: frozenset({Status.VALIDATING, Status.REJECTED, Status.FAILED, Status.QUEUED}),
    Status.TESTING: frozenset({Status.ADMITTED, Status.REPAIRING, Status.REJECTED, Status.FAILED, Status.QUEUED}),
    Status.ADMITTED: frozenset(),
    Status.REJECTED: frozenset(),
    Status.FAILED: frozenset(),
}


def check_move(old: Status, new: Status) -> None:
    """Raise ValueError where a move is not in the table: that would be a fault of ours."""
    if new not in MOVES[old]:
        raise ValueError(f"a submission cannot go from {old} to {new}")
