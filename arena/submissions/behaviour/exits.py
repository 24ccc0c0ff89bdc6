"""Tries claims about when a position is left: stop, take profit, and the pause between two entries.

For a stop, a tape is cut where a position was opened and goes on with a fall just beyond the stop; a sale must follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from arena.core.orders import Side
from arena.submissions.behaviour.claims import Claims
from arena.submissions.behaviour.findings import Check, Finding, Outcome
from arena.submissions.behaviour.player import BotPlayer, Run
from arena.submissions.behaviour.tapes import Tape, cut

_BEYOND = 1.1  # of the claimed distance
_HELD = 6  # ticks that the moved price is held for
_MOST_HELD = 400
_PICKS = 3

Shown = Callable[[Check, str, str, Tape, int], Finding]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A position that was opened from nothing: the tick of its fill, and the prices it may be counted from."""

    tape: Tape
    run: Run
    symbol: str
    tick: int
    low: float
    high: float


def exit_findings(
    player: BotPlayer, runs: Sequence[tuple[Tape, Run]], claims: Claims, shown: Shown, budget: float
) -> Iterator[Finding]:
    """Yield whether the claimed stop, take profit and cooldown are kept; nothing where none is claimed."""
    for check, share in ((Check.STOP, claims.stop_loss), (Check.TAKE_PROFIT, claims.take_profit)):
        if share is not None:
            yield _left_at(check, share, player, runs, shown, budget)
    if claims.cooldown_ticks:
        yield _cooldown(claims.cooldown_ticks, runs, shown)


def _left_at(
    check: Check, share: float, player: BotPlayer, runs: Sequence[tuple[Tape, Run]], shown: Shown, budget: float
) -> Finding:
    """Move the price beyond the stop or the take profit right after an entry: the position must be sold."""
    falls = check is Check.STOP
    entries = list(_entries(runs))
    picks = [entries[n] for n in sorted({0, len(entries) // 2, len(entries) - 1})][:_PICKS] if entries else []
    tried = 0
    for entry in picks:
        if player.cpu > budget:
            break
        price = entry.low * (1.0 - _BEYOND * share) if falls else entry.high * (1.0 + _BEYOND * share)
        held = _patience(entry.run)
        last = entry.tick + held
        if price <= 0 or last >= len(entry.tape):
            continue
        column = entry.tape.market.symbols.index(entry.symbol)
        row = entry.tape.market.marks[entry.tick, 1:].copy()
        row[column] = price
        moved = player.play(cut(entry.tape.market, last + 1, dict.fromkeys(range(entry.tick + 1, last + 1), row)))
        if moved.ending is not None:
            continue
        tried += 1
        if not any(
            tick > entry.tick and (symbol, side) == (entry.symbol, "SELL") for tick, symbol, side in moved.signals()
        ):
            what, way = ("stop", "below") if falls else ("take profit", "above")
            return shown(
                check,
                f"It keeps {entry.symbol} where the price stands {_BEYOND * share * 100:.3g}% {way} its entry for "
                f"{held} ticks; the {what} was said to be at {share * 100:.6g}%.",
                f"Sell where the price is {share * 100:.6g}% {way} the price of the entry.", entry.tape, entry.tick - 1,
            )  # fmt: skip
    if not tried:
        return Finding(check, Outcome.CANNOT_TELL, "No position was opened by which to tell.")
    return Finding(check, Outcome.MET, f"It sells where the price goes {share * 100:.6g}% beyond its entry.")


def _entries(runs: Sequence[tuple[Tape, Run]]) -> Iterator[_Entry]:
    """Yield the positions that were opened from nothing on usual tapes and not sold at once."""
    for tape, run in runs:
        if not tape.usual or run.ending is not None:
            continue
        sold = {(tick, symbol) for tick, symbol, side in run.signals() if side == "SELL"}
        made = sorted((order.tick, order.symbol) for order in run.orders if order.side == "BUY" and not order.at_once)
        for trade in run.account.ledger.trades:
            fill = trade.fill
            opened = fill.side is Side.BUY and math.isclose(fill.position_after, fill.size)
            if not opened or fill.symbol not in tape.market.symbols or (trade.tick, fill.symbol) in sold:
                continue
            before = [tick for tick, symbol in made if symbol == fill.symbol and tick < trade.tick]
            column = tape.market.symbols.index(fill.symbol) + 1
            seen = float(tape.market.marks[before[-1], column]) if before else fill.price
            yield _Entry(tape, run, fill.symbol, trade.tick, min(fill.price, seen), max(fill.price, seen))


def _patience(run: Run) -> int:
    """Return for how many ticks a moved price is held: longer for a bot that acts every so many ticks only."""
    ticks = np.array(sorted({tick for tick, _, _ in run.signals()}))
    step = int(np.gcd.reduce(np.diff(ticks))) if len(ticks) > 2 else 1
    return min(_MOST_HELD, max(_HELD, 2 * step + 2))


def _cooldown(least: int, runs: Sequence[tuple[Tape, Run]], shown: Shown) -> Finding:
    """Look at the ticks between each order and the next purchase of the same symbol."""
    seen = False
    for tape, run in runs:
        for symbol in dict.fromkeys(symbol for _, symbol, _ in run.signals()):
            acts = [(tick, side) for tick, other, side in run.signals() if other == symbol]
            for (before, _), (tick, side) in pairwise(acts):
                if side != "BUY" or tick == before:
                    continue
                seen = True
                # Counted from the fill, a tick after the order, a pause is one tick shorter than it looks.
                if tick - before < least - 1:
                    return shown(
                        Check.COOLDOWN,
                        f"It buys {symbol} {tick - before} ticks after its last order; a pause of {least} was said.",
                        f"Wait {least} ticks after an order before the next BUY.", tape, tick,
                    )  # fmt: skip
    if not seen:
        return Finding(Check.COOLDOWN, Outcome.CANNOT_TELL, "It never buys twice, so no pause is seen.")
    return Finding(Check.COOLDOWN, Outcome.MET, f"It waits {least} ticks or more between an order and the next BUY.")
