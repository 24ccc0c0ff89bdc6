"""Seats as a tick leaves them, and the board that follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from arena.core.ledger import Account, Valuation
from arena.core.scoring import Contender, Score, ranked
from arena.engine.seat import Pending, Seat, Tally


@dataclass(slots=True)
class Candidate:
    """One seat after this tick, not yet true."""

    seat: Seat
    account: Account
    valuation: Valuation
    score: Score
    tally: Tally
    pending: list[Pending] = field(default_factory=list)
    errors: int = 0
    errors_in_a_row: int = 0
    last_error: str | None = None


def standings(
    candidates: Sequence[Candidate], season_id: str, tick: int, time: float, spacing: float
) -> list[dict[str, Any]]:
    """Return one ranked row a bot; `spacing` is the seconds between two equity rows."""
    rows = {c.seat.id: _standing(c, season_id, tick, time, spacing) for c in candidates}
    contenders = [
        Contender(
            c.seat.name, rows[c.seat.id]["equity"], rows[c.seat.id]["max_drawdown_pct"],
            c.seat.entry.admitted_at, c.seat.id,
        )
        for c in candidates
    ]  # fmt: skip
    return [{**rows[str(contender.key)], "rank": rank} for rank, contender in enumerate(ranked(contenders), 1)]


def _standing(candidate: Candidate, season_id: str, tick: int, time: float, spacing: float) -> dict[str, Any]:
    equity = candidate.valuation.equity
    metrics = candidate.score.metrics(equity, candidate.account.fees, spacing)
    return {
        "season_id": season_id, "bot_id": candidate.seat.id, "cash": candidate.account.cash,
        "equity": equity, "realized_pnl": candidate.account.realized,
        "unrealized_pnl": candidate.valuation.unrealized, "trades": candidate.score.trades,
        "rejected": candidate.score.rejected, "errors": candidate.errors, "tick": tick, "as_of": time,
        "positions": candidate.account.sizes(),
        "score": candidate.score.state(), **metrics.named(),
    }  # fmt: skip
