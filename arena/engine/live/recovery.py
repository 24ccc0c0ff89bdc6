"""A restart takes accounts, scores and market from what the last ranking of the board has stored.

None of it takes longer the older a season is, so that the clock goes on at once. The workers' memories, which may
take long, are brought back meanwhile (`revival.py`).
"""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import Any

from sqlalchemy import Engine as Database

from arena.core.ledger import mark
from arena.engine.discipline import STRIKE_WINDOW
from arena.engine.live.roster import Roster
from arena.engine.live.season_scores import SeasonScores
from arena.engine.seat import Life, Seat, account_of, rebuilt_account, restored_seat
from arena.engine.state import SeasonState
from arena.store.models import Tick
from arena.store.recovered import (
    Recovered,
    ended_symbols,
    recover,
    score_bounds,
    score_points,
    scored_ticks,
    tick_rows,
)

log = logging.getLogger("arena.engine")

_PAGE = 5000


class Recovery:
    """Brings a season's seats, market and scores back to the last recorded tick."""

    def __init__(self, database: Database, state: SeasonState, roster: Roster, scores: SeasonScores) -> None:
        self._database = database
        self._state = state
        self._roster = roster
        self._scores = scores

    def run(self) -> int:
        """Rebuild market, scores and seats, and return the tick of the stored board; -1 for none.

        A season without ticks is left as it is.
        """
        season = self._state.season
        found = recover(self._database, season.id, STRIKE_WINDOW, self._state.rules.delay_ticks)
        bounds = score_bounds(self._database, season.id)
        if bounds is not None:
            self._scores.restore(*bounds, lambda: score_points(self._database, season.id))
        for bot, entry in found.entries:
            seat = restored_seat(
                bot, entry, self._state.rules, found.trades.get(bot.id, []),
                found.pending.get(bot.id, []), found.standings.get(bot.id),
            )  # fmt: skip
            seat.record.take_up(found.events.get(bot.id, ()))
            seat.away = bot.id in found.away
            self._roster.put(seat)
        if found.last_tick is not None:
            self._restore_market(found, found.last_tick)
            self._restore_scores(found)
            log.info(
                "Season %d goes on after tick %d with %d bots", season.number,
                found.last_tick.n, len(found.entries),
            )  # fmt: skip
        return found.market_tick

    # -- market and scores ----------------------------------------------------------------------------

    def _restore_market(self, found: Recovered, last: Tick) -> None:
        market = self._state.market
        market.n, market.time, market.prices = last.n, last.time, dict(last.prices)
        if found.market is None:
            last_prices = self._last_prices_looked_up(last)
            market.ended = ended_symbols(self._database, last.season_id)
        else:
            last_prices, market.ended = dict(found.market["last_prices"]), dict(found.market["ended"])
            for tick in tick_rows(self._database, last.season_id, found.market_tick + 1, last.n):
                last_prices.update(tick.prices)
                market.ended.update((tick.conditions or {}).get("ended", {}))
        market.admit_symbols(last_prices)
        market.last_prices = last_prices

    def _last_prices_looked_up(self, last: Tick) -> dict[str, float]:
        """Return the last known prices of what is held, from ticks alone: an older version stored them nowhere else."""
        held = {symbol for seat in self._roster.seats() for symbol in seat.account.positions}
        held |= set(self._scores.baselines.held)
        last_prices = dict(last.prices)
        missing = held - set(last_prices)
        end = last.n
        while missing and end >= 0:
            page = tick_rows(self._database, last.season_id, max(0, end - _PAGE), end)
            for tick in reversed(page):
                for symbol in missing & set(tick.prices):
                    last_prices[symbol] = tick.prices[symbol]
                    missing = missing - {symbol}
            end -= _PAGE + 1
        return last_prices

    def _restore_scores(self, found: Recovered) -> None:
        market = self._state.market
        since = {seat.id: self._scored_since(seat, found) for seat in self._roster.seats()}
        # A bot that has been retired is shown as of its last standings.
        shown = [seat for seat in self._roster.seats() if seat.life is not Life.RETIRED]
        first = min((since[seat.id] for seat in shown), default=market.n + 1)
        ticks = tick_rows(self._database, self._state.season.id, first, market.n)
        scored = scored_ticks(self._database, self._state.season.id, first)
        for seat in self._roster.seats():
            if seat.life is not Life.RETIRED:
                self._remark(seat, found, [tick for tick in ticks if tick.n >= since[seat.id]], scored)
            seat.score.rejected = max(seat.score.rejected, found.rejected[seat.id])
            value = mark(seat.account, market.last_prices)
            seat.equity, seat.unrealized = value.equity, value.unrealized

    @staticmethod
    def _scored_since(seat: Seat, found: Recovered) -> int:
        standing = found.standings.get(seat.id)
        return standing.tick + 1 if standing is not None else seat.entry.admitted_tick

    def _remark(self, seat: Seat, found: Recovered, ticks: list[Tick], scored: set[int]) -> None:
        """Take the ticks after the last standings into the score again."""
        if not ticks:
            return
        first = ticks[0].n
        trades = found.trades.get(seat.id, [])
        before = [trade for trade in trades if trade.tick < first]
        standing = found.standings.get(seat.id)
        stored = None if standing is None or standing.account is None else account_of(standing.account)
        account = rebuilt_account(self._state.rules, before, stored)
        known = self._state.market.last_prices if found.market is None else found.market["last_prices"]
        score, last_prices = seat.score, dict(known)
        made: dict[int, list[Any]] = defaultdict(list)
        for trade in trades:
            made[trade.tick].append(trade)
        for tick in ticks:
            last_prices.update(tick.prices)
            for trade in made.get(tick.n, ()):
                score.fill(trade.price * trade.size, trade.realized_pnl, is_sell=trade.side == "SELL")
                account = account.after(trade)
            value = mark(account, last_prices)
            score.mark(value.equity, exposed=bool(account.positions))
            if score.ticks == 1:
                score.benchmark_start = self._scores.benchmark_equity(last_prices)
            if tick.n in scored:
                score.point(value.equity, tick.time)
