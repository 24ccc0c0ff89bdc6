"""The ranked rows of the board, made of the seats as a tick leaves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arena.core.exchange import daily_limit, day_of
from arena.core.scoring import Contender, ranked
from arena.core.text import clean_line
from arena.engine.live.season_scores import SeasonScores
from arena.engine.seat import REJECTED_ROWS_A_DAY, SeatUpdate, stored_account


def standings(
    candidates: Sequence[SeatUpdate],
    season_id: str,
    tick: int,
    time: float,
    fills_a_day: int,
    scores: SeasonScores,
    prices: Mapping[str, float],
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return one ranked row a bot, and what the board says as a whole; `prices` are the last known ones.

    `fills_a_day` is how many fills a bot may have, 0 for any number.
    """
    rows = {c.seat.id: _standing(c, season_id, tick, time, fills_a_day) for c in candidates}
    contenders = [
        Contender(
            c.seat.name, rows[c.seat.id]["equity"], rows[c.seat.id]["max_drawdown_pct"],
            c.seat.entry.admitted_at, c.seat.id,
        )
        for c in candidates
    ]  # fmt: skip
    order = ranked(contenders)
    begun = {c.seat.id: c.score.benchmark_start for c in candidates}
    said, summary = scores.columns([(str(each.key), each.equity, begun[str(each.key)]) for each in order], prices)
    return [
        {**rows[str(contender.key)], **columns, "rank": rank}
        for rank, (contender, columns) in enumerate(zip(order, said, strict=True), 1)
    ], summary


def _standing(candidate: SeatUpdate, season_id: str, tick: int, time: float, fills_a_day: int) -> dict[str, Any]:
    equity = candidate.valuation.equity
    metrics = candidate.score.metrics(equity, candidate.account.fees)
    return {
        "season_id": season_id, "bot_id": candidate.seat.id, "cash": candidate.account.cash,
        "equity": equity, "realized_pnl": candidate.account.realized,
        "unrealized_pnl": candidate.valuation.unrealized, "trades": candidate.score.trades,
        "rejected": candidate.score.rejected, "errors": candidate.errors, "tick": tick, "as_of": time,
        "positions": candidate.account.sizes(), "account": stored_account(candidate.account),
        "score": candidate.score.state(), **metrics.named(), "note": _note(candidate, time, fills_a_day) or None,
    }  # fmt: skip


def _note(candidate: SeatUpdate, time: float, fills_a_day: int) -> str:
    """Return what keeps a bot from playing, or its record from being whole; '' as a rule."""
    score, tally, account = candidate.score, candidate.tally, candidate.account
    allowance = candidate.log_allowance
    day = day_of(time)
    notes = []
    if candidate.last_error is not None and not candidate.good_tick and candidate.errors_in_a_row > 1:
        notes.append(f"raised at every one of {candidate.errors_in_a_row} ticks: {candidate.last_error}")
    if score.rejected and not score.trades:
        last = f", the last: {candidate.rejection}" if candidate.rejection else ""
        notes.append(f"{all_of(score.rejected, 'order')} rejected{last}")
    if fills_a_day and account.day == day and account.fills >= fills_a_day:
        notes.append(daily_limit(fills_a_day))
    if tally.day == day and tally.rejected > REJECTED_ROWS_A_DAY:
        more = tally.rejected - REJECTED_ROWS_A_DAY
        notes.append(f"{more:,} more rejected orders today are counted, not listed")
    if allowance.day == day and allowance.dropped:
        notes.append(f"{allowance.dropped:,} more log lines today are counted, not kept")
    return clean_line("; ".join(notes))


def all_of(count: int, word: str) -> str:
    """Return 'all 40 orders', or 'its one order'."""
    return f"all {count:,} {word}s" if count > 1 else f"its one {word}"
