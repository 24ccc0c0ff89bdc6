"""A restart rebuilds accounts from trades, scores from the last standings, and workers from source.

A worker's own memory is rebuilt by showing it the recorded ticks again; the orders it makes there are compared
with the record and not executed. Until it has caught up a bot is `recovering`.
"""

from __future__ import annotations

import logging

from sqlalchemy import Engine as Database
from sqlmodel import Session, col, select

from arena.core.ledger import mark
from arena.engine.live.catch_up import CatchUp
from arena.engine.live.roster import Roster
from arena.engine.live.season_scores import SeasonScores
from arena.engine.replay.replayer import RecordedTicks, worker_lifetimes
from arena.engine.seat import Life, Seat, rebuilt_account, restored_seat
from arena.engine.state import SeasonState
from arena.store.models import BotTick, Tick, Trade
from arena.store.recovered import Recovered, ended_symbols, recover, score_points, tick_rows
from sandbox.pool import Pool
from sandbox.talk.gather import gather

log = logging.getLogger("arena.engine")

_PAGE = 5000


class Recovery:
    """Brings a season's seats back to the last recorded tick."""

    def __init__(
        self, database: Database, pool: Pool, state: SeasonState, roster: Roster, scores: SeasonScores
    ) -> None:
        self._database = database
        self._pool = pool
        self._state = state
        self._roster = roster
        self._scores = scores
        # The ticks at which score points were written.
        self._scored: set[int] = set()

    def run(self) -> None:
        """Rebuild market, seats and workers; a season without ticks is left as it is."""
        season = self._state.season
        found = recover(self._database, season.id)
        self._scored = self._scores.restore(score_points(self._database, season.id))
        for bot, entry in found.entries:
            seat = restored_seat(
                bot, entry, self._state.rules, found.trades.get(bot.id, []),
                found.pending.get(bot.id, []), found.standings.get(bot.id),
            )  # fmt: skip
            seat.record.take_up(found.events.get(bot.id, ()))
            self._roster.put(seat)
        if found.last_tick is not None:
            self._restore_market(found.last_tick)
            self._restore_scores(found)
            log.info(
                "Season %d goes on after tick %d with %d bots", season.number,
                found.last_tick.n, len(found.entries),
            )  # fmt: skip
        self.revive_workers()

    # -- market and scores ----------------------------------------------------------------------------

    def _restore_market(self, last: Tick) -> None:
        market = self._state.market
        market.n, market.time, market.prices = last.n, last.time, dict(last.prices)
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
        market.admit_symbols(last_prices)
        market.last_prices = last_prices
        market.ended = ended_symbols(self._database, last.season_id)

    def _restore_scores(self, found: Recovered) -> None:
        for seat in self._roster.seats():
            standing = found.standings.get(seat.id)
            since = standing.tick + 1 if standing is not None else seat.entry.admitted_tick
            trades = found.trades.get(seat.id, [])
            self._remark(seat, trades, since)
            seat.score.rejected = max(seat.score.rejected, found.rejected.get(seat.id, 0))
            value = mark(seat.account, self._state.market.last_prices)
            seat.equity, seat.unrealized = value.equity, value.unrealized

    def _remark(self, seat: Seat, trades: list[Trade], since: int) -> None:
        """Take the ticks after the last standings into the score again."""
        before = rebuilt_account(self._state.rules, [trade for trade in trades if trade.tick < since])
        score, account, last_prices = seat.score, before, dict(self._state.market.last_prices)
        end = self._state.market.n
        for tick in tick_rows(self._database, self._state.season.id, since, end):
            last_prices.update(tick.prices)
            for trade in (trade for trade in trades if trade.tick == tick.n):
                score.fill(trade.price * trade.size, trade.realized_pnl, is_sell=trade.side == "SELL")
                account = account.after(trade)
            value = mark(account, last_prices)
            score.mark(value.equity, exposed=bool(account.positions))
            if score.ticks == 1:
                score.benchmark_start = self._scores.benchmark_equity(last_prices)
            if tick.n in self._scored:
                score.point(value.equity, tick.time)

    # -- workers ----------------------------------------------------------------------------------------

    def revive_workers(self) -> None:
        """Start every bot that should run, and let those that had run catch up."""
        revivals = []
        for seat in self._roster.seats():
            if seat.life not in {Life.ACTIVE, Life.PAUSED, Life.RECOVERING, Life.STARTING}:
                continue
            if not self._load_program(seat):
                continue
            revival = self._revival(seat)
            if revival is not None:
                revivals.append(revival)
        self._catch_up(revivals)

    def _load_program(self, seat: Seat) -> bool:
        """Check the source again: code objects are never stored."""
        checked = self._pool.check(seat.bot.source.encode())
        if checked.accepted:
            seat.program = checked.program
            return True
        seat.life = Life.REFUSED
        seat.entry.reason = str(checked.violations[0]["message"])
        log.warning("Bot '%s' is refused by the present policy: %s", seat.name, seat.entry.reason)
        return False

    def _revival(self, seat: Seat) -> CatchUp | None:
        """Return how a bot catches up, None if it has not started yet or waits to be restarted."""
        season, last = self._state.season, self._state.market.n
        with Session(self._database) as session:
            events = session.exec(
                select(BotTick)
                .where(BotTick.season_id == season.id, BotTick.bot_id == seat.id)
                .order_by(col(BotTick.id))
            ).all()
            trades = session.exec(
                select(Trade).where(Trade.season_id == season.id, Trade.bot_id == seat.id).order_by(col(Trade.id))
            ).all()
            session.expunge_all()
        lives = worker_lifetimes(events, last)
        if not lives or last < 0:
            seat.life = Life.STARTING
            return None
        life = lives[-1]
        if life.died:
            # It was waiting to be restarted, and goes on waiting.
            seat.life = Life.PAUSED if seat.life is Life.PAUSED else Life.RESTARTING
            return None
        ticks = tick_rows(self._database, season.id, max(0, min(life.first - 1, life.loaded)), last)
        before = [trade for trade in trades if trade.tick < life.first]
        account = rebuilt_account(self._state.rules, before)
        return CatchUp(self._pool, self._state, seat, RecordedTicks.of(ticks), life, account)

    def _catch_up(self, revivals: list[CatchUp]) -> None:
        open_ones = list(revivals)
        while open_ones:
            asks = [(revival, revival.next_ask()) for revival in open_ones]
            running = [(revival, ask) for revival, ask in asks if ask is not None]
            for (revival, _), answer in zip(running, gather([a for _, a in running]), strict=True):
                revival.take(answer)
            open_ones = [revival for revival in open_ones if not revival.over]
