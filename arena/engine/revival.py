"""One bot on its way back after a restart: it sees its recorded ticks again until it has caught up."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from arena.core.ledger import Account
from arena.engine.player import Market, Play
from arena.engine.seat import Life, Seat
from arena.store.models import BotTick, Tick
from sandbox.barrier import Answer, Ask
from sandbox.errors import SandboxError
from sandbox.pool import Pool
from sandbox.protocol import Kind
from sandbox.worker import Worker

if TYPE_CHECKING:
    from arena.engine.engine import Engine

log = logging.getLogger("arena.engine")

_RUN = 512


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
        start = engine.supervisor.start_meta(self.seat, self._play.market.symbols, now, prices, prices, self.account)
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
