"""One bot goes once more through ticks that were recorded, as it went through them the first time.

What happened to it besides (`bot_ticks`: late, skipped, killed, paused, quarantined …) is applied, never
decided again. Recovery uses it to rebuild a worker's memory, `verify` to prove a bot's record.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from arena.core.exchange import Conditions, Rules
from arena.core.ledger import Account
from arena.engine.backtest.account import BacktestAccount, RecordedMarket
from arena.runtime.start import Start
from arena.store.models import BotTick, Tick
from sandbox.errors import SandboxError
from sandbox.pool import Pool
from sandbox.talk.protocol import Kind
from sandbox.talk.request import REPLY_AS_EXPECTED, WorkerReply, WorkerRequest
from sandbox.talk.worker import Worker

RUN = 512


@dataclass(slots=True)
class WorkerLifetime:
    """The life of one worker: ticks `first` to before `end` were its own.

    It was loaded after tick `loaded`. `unseen` ticks were not shown to it; the answers to `unheard`
    ones did not count. Once tick `quit` had been settled, what still waited was cancelled.
    """

    first: int
    loaded: int
    end: int
    unseen: set[int] = field(default_factory=set)
    unheard: set[int] = field(default_factory=set)
    quit: int | None = None
    died: bool = False


def worker_lifetimes(events: Sequence[BotTick], last: int) -> list[WorkerLifetime]:
    """Return the lives of a bot's workers from its journaled events, up to tick `last`."""
    found: list[WorkerLifetime] = []
    asleep: int | None = None
    for event in events:
        here = found[-1] if found else None
        if event.event in {"start", "restarted"}:
            found.append(WorkerLifetime(event.tick, _loaded(event), last + 1))
        elif event.event == "paused":
            asleep = event.tick
        elif event.event == "resumed" and asleep is not None:
            if here is not None:
                here.unseen.update(range(asleep, event.tick))
            asleep = None
        elif here is not None:
            _apply(here, event)
    if asleep is not None and found:
        found[-1].unseen.update(range(asleep, last + 1))
    for before, after in pairwise(found):
        before.end = min(before.end, after.first)
    return found


def _loaded(event: BotTick) -> int:
    words = event.detail.rsplit(" ", 1)
    return int(words[-1]) if words[-1].lstrip("-").isdigit() else event.tick - 1


def _apply(here: WorkerLifetime, event: BotTick) -> None:
    if event.event == "skipped":
        here.unseen.add(event.tick)
    elif event.event == "late":
        here.unheard.add(event.tick)
    elif event.event == "killed":
        here.end, here.died = min(here.end, event.tick), True
    elif event.event == "quarantined":
        # What it answered at this tick was taken, and cancelled with the rest.
        here.end, here.quit = min(here.end, event.tick + 1), event.tick
    elif event.event == "retired":
        here.end, here.quit = min(here.end, event.tick), event.tick - 1


@dataclass(frozen=True, slots=True)
class RecordedTicks:
    """The recorded ticks from number `base` on, as a market; `before` is the tick before them, if any."""

    base: int
    market: RecordedMarket
    before: Tick | None = None

    @classmethod
    def of(cls, ticks: Sequence[Tick], last_prices: Mapping[str, float] | None = None) -> RecordedTicks:
        """Return what recorded ticks, consecutive and in order, say; the first one is `before` unless it is tick 0."""
        import numpy as np

        before = ticks[0] if ticks[0].n else None
        seen = ticks[1:] if before is not None else ticks
        symbols = tuple(sorted({symbol for tick in ticks for symbol in tick.prices}))
        nan = float("nan")
        rows = [[tick.time, *(tick.prices.get(symbol, nan) for symbol in symbols)] for tick in seen]
        conditions = {
            place: Conditions(tick.conditions.get("barred", {}), tick.conditions.get("ended", {}))
            for place, tick in enumerate(seen) if tick.conditions
        }  # fmt: skip
        known = {**(last_prices or {}), **(before.prices if before else {})}
        array = np.array(rows, dtype=np.float64).reshape(len(rows), 1 + len(symbols))
        return cls(before.n + 1 if before else 0, RecordedMarket(symbols, array, conditions, known), before)


class Replayer:
    """Drives one bot's worker through its past; `over` once it has been through or cannot go on.

    `problem` then says why it could not. `play` holds the reproduced account and record; its ticks
    count from `past.base`.
    """

    def __init__(
        self,
        pool: Pool,
        program: bytes,
        bot: tuple[str, int],
        rules: Rules,
        past: RecordedTicks,
        lives: Sequence[WorkerLifetime],
        account: Account | None = None,
        run: int = RUN,
        alone: Collection[int] = (),
    ) -> None:
        """Prepare the way; ticks that are to be `alone` are shown in a run of their own."""
        self.over = False
        self.problem: str | None = None
        self.worker: Worker | None = None
        self.play = BacktestAccount(bot[0], past.market, rules)
        if account is not None:
            self.play.account = account
        self._pool, self._program, self._run = pool, program, run
        self._name, self._seed = bot
        self._rules, self._past = rules, past
        self._lives = list(lives)
        self._accounts: dict[int, Account] = {}
        self._starting = False
        self._sent = 0
        self._alone = frozenset(alone)

    @property
    def now(self) -> int:
        """Return the number of the tick that comes next."""
        return self._past.base + self.play.sent

    def next_ask(self) -> WorkerRequest | None:
        """Return the next request to the worker, None where the way is over."""
        while self._lives:
            life = self._lives[0]
            if self.worker is None:
                self._go_to(life.loaded + 1)
                account = self.play.account
                self._go_to(life.first)
                return self._start(life, account)
            while self.now < life.end and self.now in life.unseen and not self.play.finished:
                self.play.skip()
            if self.now < life.end and not self.play.finished:
                return self._show(life)
            self._close_life()
        if not self.over:
            self.play.mark_rest()
            self.over = True
        return None

    def _go_to(self, tick: int) -> None:
        while self.now < tick and not self.play.finished:
            self.play.skip()

    def _show(self, life: WorkerLifetime) -> WorkerRequest:
        assert self.worker is not None
        start = self.now
        special = [n for n in life.unseen | life.unheard | self._alone if start < n < start + self._run]
        length = 1 if start in life.unheard | self._alone else min([*special, start + self._run, life.end]) - start
        usual = None
        if length == 1:
            self._sent = 1
            payload, usual = self.play.next_tick()
        else:
            payload, self._sent = self.play.next_run(length)
        limits = self._pool.limits
        budget = limits.run_cpu(self._sent) * 4
        return WorkerRequest(self.worker, Kind.CALL, payload, budget, budget, limits.wall_backstop, usual)

    def _close_life(self) -> None:
        life = self._lives.pop(0)
        if life.quit is not None:
            self._go_to(life.quit + 1)
            self.play.cancel_pending()
        if (self._lives or life.quit is not None or life.died) and self.worker is not None:
            self.worker.close()
            self.worker = None

    def _start(self, life: WorkerLifetime, account: Account) -> WorkerRequest | None:
        now, prices, last_prices = self._as_of(life.loaded)
        rules = self._rules.parts
        start = Start(
            self._name, self._seed, now, bool(prices), prices, last_prices,
            self._past.market.symbols, account, rules,
        )  # fmt: skip
        try:
            self.worker, ask = self._pool.spawn(self._program, start.pack())
        except SandboxError as error:
            self._fail(str(error))
            return None
        self._starting = True
        return ask

    def _as_of(self, tick: int) -> tuple[float, dict[str, float], dict[str, float]]:
        """Return the time, the prices and the last known prices after a tick."""
        place = tick - self._past.base
        if place >= 0:
            market = self._past.market
            return market.time(place), market.prices(place), market.last_prices(place)
        before = self._past.before
        if tick < 0 or before is None:
            return 0.0, {}, {}
        return before.time, dict(before.prices), dict(self._past.market.before)

    def take(self, answer: WorkerReply) -> None:
        """Take the worker's answer; orders are noted in the play, nothing is executed anywhere else."""
        try:
            if answer.payload is None:
                self._fail(answer.reason)
            elif self._starting:
                self._starting = False
                self.play.started(answer.payload, self._as_of(self._lives[0].loaded)[0])
            elif self.now in self._lives[0].unheard:
                self.play.skip()
            elif answer is REPLY_AS_EXPECTED:
                self.play.pass_ticks(1)
            else:
                self.play.take(answer.payload, self._sent)
        except ValueError as error:
            self._fail(f"broke the protocol: {error}")

    def _fail(self, reason: str) -> None:
        self.over, self.problem = True, reason
        if self.worker is not None:
            self.worker.close()
            self.worker = None
