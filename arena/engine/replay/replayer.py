"""One bot goes once more through ticks that were recorded, as it went through them the first time.

What happened to it besides (`bot_ticks`: late, skipped, killed, paused, quarantined …) is applied, never
decided again. Recovery uses it to rebuild a worker's memory, `verify` to prove a bot's record.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

from arena.core.exchange import Conditions, Rules
from arena.core.ledger import Account
from arena.core.orders import Waiting
from arena.engine.backtest.account import BacktestAccount, RecordedMarket
from arena.runtime.start import Start
from arena.store.models import BotTick, Tick
from sandbox.errors import SandboxError
from sandbox.pool import Pool
from sandbox.talk.protocol import Kind
from sandbox.talk.request import REPLY_AS_EXPECTED, WorkerReply, WorkerRequest
from sandbox.talk.snapshot import read_restored
from sandbox.talk.verdict import Verdict
from sandbox.talk.wait import WorkerSelector
from sandbox.talk.worker import Worker

Key = TypeVar("Key")

# As long as a backtest's; a run is written at once, because it fits into a pipe (64 KiB).
RUN = 2048
_RUN_BYTES = 48 * 1024


class TickSpans:
    """Ticks in spans, added in order: a pause of a month takes no more room than one of a minute."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._ends: list[int] = []

    def add(self, first: int, end: int) -> None:
        """Add the ticks from `first` to before `end`; none before the last span's first."""
        if end <= first:
            return
        while self._ends and first <= self._ends[-1]:
            first, end = min(first, self._firsts.pop()), max(end, self._ends.pop())
        self._firsts.append(first)
        self._ends.append(end)

    def end_at(self, tick: int) -> int:
        """Return the end of the span that holds a tick, the tick itself where none does."""
        place = bisect_right(self._firsts, tick) - 1
        return max(tick, self._ends[place]) if place >= 0 else tick

    def next_after(self, tick: int, end: int) -> int:
        """Return the first tick of a span that begins after `tick`, at most `end`."""
        place = bisect_right(self._firsts, tick)
        return min(end, self._firsts[place]) if place < len(self._firsts) else end

    def __contains__(self, tick: int) -> bool:
        return self.end_at(tick) > tick


@dataclass(slots=True)
class WorkerLifetime:
    """The life of one worker: ticks `first` to before `end` were its own.

    It was loaded after tick `loaded`. `unseen` ticks were not shown to it; the answers to `unheard`
    ones did not count. Once tick `quit` had been settled, what still waited was cancelled.
    """

    first: int
    loaded: int
    end: int
    unseen: TickSpans = field(default_factory=TickSpans)
    unheard: TickSpans = field(default_factory=TickSpans)
    quit: int | None = None
    died: bool = False


def worker_lifetimes(events: Sequence[BotTick], last: int) -> list[WorkerLifetime]:
    """Return the lives of a bot's workers from its journaled events, up to tick `last`."""
    found: list[WorkerLifetime] = []
    away = _Absence()
    for event in events:
        here = found[-1] if found else None
        if event.event in {"start", "restarted"}:
            away.pass_on(here, event.tick)
            found.append(WorkerLifetime(event.tick, _loaded(event), last + 1))
        elif event.event in _AWAY:
            away.begin(event.event, event.tick)
        elif event.event in _BACK:
            away.end(_BACK[event.event], here, event.tick)
        elif here is not None:
            _apply(here, event)
    away.pass_on(found[-1] if found else None, last + 1)
    for before, after in pairwise(found):
        before.end = min(before.end, after.first)
    return found


class _Absence:
    """Why a bot is not asked, each reason until it ends, and since when."""

    def __init__(self) -> None:
        self._reasons: set[str] = set()
        self._since = 0

    def begin(self, reason: str, tick: int) -> None:
        if not self._reasons:
            self._since = tick
        self._reasons.add(reason)

    def end(self, reason: str, here: WorkerLifetime | None, tick: int) -> None:
        if self._reasons == {reason} and here is not None:
            here.unseen.add(self._since, tick)
        self._reasons.discard(reason)

    def pass_on(self, here: WorkerLifetime | None, tick: int) -> None:
        """Close the account of one worker before the next, which needs no recovering."""
        if self._reasons and here is not None:
            here.unseen.add(self._since, tick)
        self._reasons.discard("recovering")
        self._since = tick


# Why a bot is not asked for a while: by its author's wish, or because its memory was being brought back.
_AWAY = frozenset({"paused", "recovering"})
_BACK = {"resumed": "paused", "recovered": "recovering"}


def _loaded(event: BotTick) -> int:
    words = event.detail.rsplit(" ", 1)
    return int(words[-1]) if words[-1].lstrip("-").isdigit() else event.tick - 1


def _apply(here: WorkerLifetime, event: BotTick) -> None:
    if event.event == "skipped":
        here.unseen.add(event.tick, event.tick + 1)
    elif event.event == "late":
        here.unheard.add(event.tick, event.tick + 1)
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
    def of(cls, ticks: Sequence[Tick], symbols: Collection[str] = ()) -> RecordedTicks:
        """Return what recorded ticks, consecutive and in order, say; the first one is `before` unless it is tick 0.

        `symbols` are the market's, whether they had a price or not.
        """
        import numpy as np

        before = ticks[0] if ticks[0].n else None
        seen = ticks[1:] if before is not None else ticks
        symbols = tuple(sorted({*symbols, *(symbol for tick in ticks for symbol in tick.prices)}))
        nan = float("nan")
        rows = [[tick.time, *(tick.prices.get(symbol, nan) for symbol in symbols)] for tick in seen]
        conditions = {
            place: Conditions(tick.conditions.get("barred", {}), tick.conditions.get("ended", {}))
            for place, tick in enumerate(seen) if tick.conditions
        }  # fmt: skip
        known = dict(before.prices) if before else {}
        array = np.array(rows, dtype=np.float64).reshape(len(rows), 1 + len(symbols))
        return cls(before.n + 1 if before else 0, RecordedMarket(symbols, array, conditions, known), before)


@dataclass(frozen=True, slots=True)
class SavedMemory:
    """A worker's snapshot after a tick, with the account and the orders that waited then."""

    tick: int
    data: bytes
    account: Account
    waiting: Sequence[Waiting]


class Replayer:
    """Drives one bot's worker through its past; `over` once it has been through or cannot go on.

    `problem` then says why it could not, `lost` that its process was ended for no fault of its own. `play` holds the
    reproduced account and record; its ticks count from `past.base`.
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
        saved: SavedMemory | None = None,
        waiting: Sequence[Waiting] = (),
    ) -> None:
        """Prepare the way; ticks that are to be `alone` are shown in a run of their own.

        It begins with an `account` and the orders that wait then, or after the `saved` tick where a memory of the first
        of these lives is given.
        """
        self.over = False
        self.problem: str | None = None
        self.lost = False
        self.worker: Worker | None = None
        self.play = BacktestAccount(bot[0], past.market, rules)
        if account is not None:
            # The record may begin before: these orders wait after the tick at which the first worker was loaded.
            self.play.begin_at(lives[0].loaded + 1 - past.base, account, waiting)
        self._pool, self._program = pool, program
        self._run = max(1, min(run, _RUN_BYTES // (8 + 8 * len(past.market.symbols))))
        self._name, self._seed = bot
        self._rules, self._past = rules, past
        self._lives = list(lives)
        self._starting = False
        self._saved, self._restoring = saved, False
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
            if self.worker is None and self._saved is not None:
                return self._restore(self._saved)
            if self.worker is None:
                self._go_to(life.loaded + 1)
                account = self.play.account
                self._go_to(life.first)
                return self._start(life, account)
            self._go_to(min(life.unseen.end_at(self.now), life.end))
            if self.now < life.end and not self.play.finished:
                return self._show(life)
            self._close_life()
        if not self.over:
            self.play.mark_rest()
            self.over = True
        return None

    def _go_to(self, tick: int) -> None:
        self.play.skip_to(tick - self._past.base)

    def _show(self, life: WorkerLifetime) -> WorkerRequest:
        start = self.now
        if start in life.unheard or start in self._alone or self._run == 1:
            self._sent = 1
            return self._ask(*self.play.next_tick())
        return self._show_run(life)

    def _show_run(self, life: WorkerLifetime) -> WorkerRequest:
        start = self.now
        end = min(start + self._run, life.end)
        end = life.unheard.next_after(start, life.unseen.next_after(start, end))
        end = min([end, *(n for n in self._alone if start < n)])
        payload, self._sent = self.play.next_run(end - start)
        return self._ask(payload, None)

    def _ask(self, payload: bytes, usual: bytes | None) -> WorkerRequest:
        assert self.worker is not None
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

    def _restore(self, saved: SavedMemory) -> WorkerRequest | None:
        self._saved = None
        self.play.begin_at(saved.tick + 1 - self._past.base, saved.account, saved.waiting)
        try:
            self.worker, ask = self._pool.spawn_restored(self._program, saved.data)
        except SandboxError as error:
            self._fail(str(error))
            return None
        self._restoring = True
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
        """Take the worker's answer wholly; orders are noted in the play, nothing is executed anywhere else."""
        if self.receive(answer, early=False) is None:
            self.read()

    def receive(self, answer: WorkerReply, *, early: bool = True) -> WorkerRequest | None:
        """Take an answer by its head; return the next request where it need not wait until `read` is done."""
        try:
            if answer.payload is None:
                self.lost = answer.verdict is Verdict.LOST
                self._fail(answer.reason)
            elif self._restoring:
                self._restoring = False
                problem = read_restored(answer.payload)
                if problem:
                    self._fail(f"could not be restored: {problem}")
            elif self._starting:
                self._starting = False
                self.play.started(answer.payload, self._as_of(self._lives[0].loaded)[0])
            elif self.now in self._lives[0].unheard:
                self.play.skip()
            elif answer is REPLY_AS_EXPECTED:
                self.play.pass_ticks(1)
            else:
                self.play.receive(answer.payload, self._sent)
                return self._next_run() if early else None
        except ValueError as error:
            self._fail(f"broke the protocol: {error}")
        return None

    def _next_run(self) -> WorkerRequest | None:
        life, now = self._lives[0], self.now
        if not self.play.runs_on or self._run == 1 or now >= life.end:
            return None
        if now in life.unseen or now in life.unheard or now in self._alone:
            return None
        return self._show_run(life)

    def read(self) -> bool:
        """Recompute what was received; False where it broke the protocol and the worker is gone."""
        try:
            self.play.read()
        except ValueError as error:
            self._fail(f"broke the protocol: {error}")
            return False
        return True

    def _fail(self, reason: str) -> None:
        self.over, self.problem = True, reason
        self.close()

    def close(self) -> None:
        """End the worker."""
        if self.worker is not None:
            self.worker.close()
            self.worker = None


def ask_on(selector: WorkerSelector[Key], key: Key, way: Replayer) -> None:
    """Send the next request of a way, if it is not over."""
    while not way.over:
        ask = way.next_ask()
        if ask is not None:
            selector.ask(key, ask)
            return


def advance(selector: WorkerSelector[Key], key: Key, way: Replayer, answer: WorkerReply) -> None:
    """Take an answer and ask on: the worker plays its next run while the last one is recomputed here."""
    worker = way.worker
    ask = way.receive(answer)
    if ask is not None:
        selector.ask(key, ask)
    way.read()
    if worker is not None and way.worker is not worker:
        selector.forget(worker)
    if ask is None:
        ask_on(selector, key, way)
