"""Restart equals recovery: accounts from trades, scores from the last standings, workers from source.

A worker's own memory is rebuilt by showing it the season's recorded ticks again; what it orders there
is compared with the record, not executed. Until it has caught up a bot is `recovering`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import Engine as Database
from sqlmodel import Session, col, select

from arena.core.ledger import Account, mark
from arena.core.scoring import Score
from arena.engine.player import Market, Play
from arena.engine.seat import Life, Seat, rebuilt_account, restored_seat
from arena.store.models import BotTick, Tick, Trade
from arena.store.seasons import Recovered, recover, tick_rows
from sandbox.barrier import Answer, Ask, gather
from sandbox.errors import SandboxError
from sandbox.pool import Pool
from sandbox.protocol import Kind
from sandbox.worker import Worker

if TYPE_CHECKING:
    from arena.engine.engine import Engine

log = logging.getLogger("arena.engine")

_RUN = 512
_PAGE = 5000


class Recovery:
    """Brings a season's seats back to the last recorded tick."""

    def __init__(self, database: Database, pool: Pool, engine: Engine) -> None:
        self._database = database
        self._pool = pool
        self._engine = engine

    def run(self) -> None:
        """Rebuild market, seats and workers; a season without ticks is left as it is."""
        season = self._engine.season
        found = recover(self._database, season.id)
        for bot, entry in found.entries:
            seat = restored_seat(
                bot, entry, season.starting_cash, found.trades.get(bot.id, []),
                found.pending.get(bot.id, []), found.standings.get(bot.id),
            )  # fmt: skip
            seat.record.take_up(found.events.get(bot.id, ()))
            self._engine.roster.put(seat)
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
        market = self._engine.market
        market.n, market.time, market.prices = last.n, last.time, dict(last.prices)
        held = {symbol for seat in self._engine.roster.seats() for symbol in seat.account.positions}
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

    def _restore_scores(self, found: Recovered) -> None:
        for seat in self._engine.roster.seats():
            standing = found.standings.get(seat.id)
            since = standing.tick + 1 if standing is not None else seat.entry.admitted_tick
            trades = found.trades.get(seat.id, [])
            self._remark(seat, trades, since)
            seat.score.rejected = max(seat.score.rejected, found.rejected.get(seat.id, 0))
            value = mark(seat.account, self._engine.market.last_prices)
            seat.equity, seat.unrealized = value.equity, value.unrealized

    def _remark(self, seat: Seat, trades: list[Trade], since: int) -> None:
        """Take the ticks after the last standings into the score again."""
        start = self._engine.season.starting_cash
        before = rebuilt_account(start, [trade for trade in trades if trade.tick < since])
        score, account, last_prices = seat.score, before, dict(self._engine.market.last_prices)
        end = self._engine.market.n
        for tick in tick_rows(self._database, self._engine.season.id, since, end):
            last_prices.update(tick.prices)
            account = self._apply(score, account, (t for t in trades if t.tick == tick.n))
            value = mark(account, last_prices)
            score.mark(value.equity, exposed=bool(account.positions))

    @staticmethod
    def _apply(score: Score, account: Account, trades: Iterable[Trade]) -> Account:
        for trade in trades:
            score.fill(trade.price * trade.size, trade.realized_pnl, is_sell=trade.side == "SELL")
            if trade.side == "BUY":
                account = account.bought(trade.symbol, trade.size, trade.price, trade.fee)
            else:
                account, _ = account.sold(trade.symbol, trade.size, trade.price, trade.fee)
        return account

    # -- workers ----------------------------------------------------------------------------------------

    def revive_workers(self) -> None:
        """Start every bot that should run, and let those that had run catch up."""
        revivals = []
        for seat in self._engine.roster.seats():
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

    def _revival(self, seat: Seat) -> Revival | None:
        """Return the ticks a bot has to see again, None if it has not started yet."""
        season_id, last = self._engine.season.id, self._engine.market.n
        with Session(self._database) as session:
            events = session.exec(
                select(BotTick)
                .where(BotTick.season_id == season_id, BotTick.bot_id == seat.id)
                .order_by(col(BotTick.id))
            ).all()
            trades = session.exec(
                select(Trade)
                .where(Trade.season_id == season_id, Trade.bot_id == seat.id)
                .order_by(col(Trade.id))
            ).all()
            session.expunge_all()
        begins = [event.tick for event in events if event.event in {"start", "restarted"}]
        if not begins or last < 0:
            seat.life = Life.STARTING
            return None
        first = begins[-1]
        if any(event.event == "killed" and event.tick >= first for event in events):
            # It was waiting to be restarted, and goes on waiting.
            seat.life = Life.PAUSED if seat.life is Life.PAUSED else Life.RESTARTING
            return None
        ticks = tick_rows(self._database, season_id, max(0, first - 1), last)
        before = [trade for trade in trades if trade.tick < first]
        return Revival(
            self._pool, self._engine, seat, ticks, first,
            rebuilt_account(self._engine.season.starting_cash, before), list(events),
        )  # fmt: skip

    def _catch_up(self, revivals: list[Revival]) -> None:
        open_ones = list(revivals)
        while open_ones:
            asks = [(revival, revival.next_ask()) for revival in open_ones]
            running = [(revival, ask) for revival, ask in asks if ask is not None]
            for (revival, _), answer in zip(running, gather([a for _, a in running]), strict=True):
                revival.take(answer)
            open_ones = [revival for revival in open_ones if not revival.over]


@dataclass
class Revival:
    """One bot on its way back: the recorded ticks it must see, and how it saw them."""

    pool: Pool
    engine: Engine
    seat: Seat
    ticks: list[Tick]
    first: int
    account: Account
    events: list[BotTick]
    over: bool = False
    worker: Worker | None = None
    _play: Play = field(init=False)
    _modes: dict[int, str] = field(init=False)
    _starting: bool = False
    _sent: int = 0

    def __post_init__(self) -> None:
        seen = [tick for tick in self.ticks if tick.n >= self.first]
        self._play = Play(self.seat.name, _market(seen), self.engine.rules)
        self._play.account = self.account
        self._modes = self._read_modes(len(seen))
        self.seat.life, self._paused = Life.RECOVERING, self.seat.life is Life.PAUSED

    def _read_modes(self, count: int) -> dict[int, str]:
        """Return the ticks that were not simply asked and answered, by their place in the run."""
        modes: dict[int, str] = {}
        asleep: int | None = None
        for event in self.events:
            place = event.tick - self.first
            if event.event in {"skipped", "late", "killed"} and place >= 0:
                modes[place] = event.event
            elif event.event == "paused":
                asleep = place
            elif event.event == "resumed" and asleep is not None:
                modes.update(dict.fromkeys(range(max(asleep, 0), place), "skipped"))
                asleep = None
        if asleep is not None:
            modes.update(dict.fromkeys(range(max(asleep, 0), count), "skipped"))
        return modes

    def next_ask(self) -> Ask | None:
        """Return the next request, None where there is nothing to ask this time."""
        if self.worker is None:
            return self._start()
        while not self._play.finished and self._modes.get(self._play.sent) in {"skipped", "killed"}:
            self._play.skip()
        if self._play.finished:
            self._finish()
            return None
        limits = self.pool.limits
        payload, self._sent = self._play.next_run(self._run_length())
        budget = limits.run_cpu(self._sent) * 4
        return Ask(self.worker, Kind.CALL, payload, budget, budget, limits.wall_backstop)

    def _run_length(self) -> int:
        start = self._play.sent
        if self._modes.get(start) == "late":
            return 1
        special = [place for place in self._modes if start < place < start + _RUN]
        return min(special, default=start + _RUN) - start

    def _start(self) -> Ask | None:
        before = [tick for tick in self.ticks if tick.n < self.first]
        prices = dict(before[-1].prices) if before else {}
        now = before[-1].time if before else 0.0
        engine = self.engine
        start = engine.supervisor.start_meta(
            self.seat, self._play.market.symbols, now, prices, prices, self.account
        )
        try:
            self.worker, ask = self.pool.spawn(self.seat.program, start.pack())
        except SandboxError as error:
            self._fail(str(error))
            return None
        self._starting = True
        return ask

    def take(self, answer: Answer) -> None:
        """Take a run's answer; orders are compared at the end, not executed."""
        try:
            if answer.payload is None:
                self._fail(answer.reason)
            elif self._starting:
                self._starting = False
                self._play.started(answer.payload)
            else:
                late = self._modes.get(self._play.sent) == "late"
                self._play.take(answer.payload, self._sent)
                if late:
                    self._play.cancel_pending()
        except ValueError as error:
            self._fail(f"broke the protocol: {error}")

    def _finish(self) -> None:
        self.over = True
        seat = self.seat
        if self._play.account != seat.account:
            log.warning("Bot '%s' did not repeat its recorded orders while catching up", seat.name)
        seat.worker, seat.symbols_told, seat.started = self.worker, -1, True
        seat.life = Life.PAUSED if self._paused else Life.ACTIVE

    def _fail(self, reason: str) -> None:
        """Start afresh where catching up is not possible; the account is exact all the same."""
        self.over = True
        log.warning("Bot '%s' could not catch up (%s); it starts afresh", self.seat.name, reason)
        if self.worker is not None:
            self.worker.close()
        self.seat.worker = None
        self.seat.life = Life.RESTARTING


def _market(ticks: list[Tick]) -> Market:
    import numpy as np

    symbols = tuple(sorted({symbol for tick in ticks for symbol in tick.prices}))
    nan = float("nan")
    rows = [[tick.time, *(tick.prices.get(symbol, nan) for symbol in symbols)] for tick in ticks]
    return Market(symbols, np.array(rows, dtype=np.float64).reshape(len(ticks), 1 + len(symbols)))
