"""Plays bots over a recorded market: checked, isolated, ranked.

Also the trial run before admission. Run-ahead by default; a bot that leaves its budget there is
played again from the start in lockstep, and only that verdict counts (CONTRACT section 6).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from arena.core.exchange import Rules
from arena.engine.discipline import Action, Record
from arena.engine.player import Market, Play
from arena.runtime.contract import read_facts
from arena.runtime.start import Start
from sandbox.barrier import Answer, Ask, gather
from sandbox.pool import Pool
from sandbox.protocol import Kind
from sandbox.verdict import Ending, Verdict
from sandbox.worker import Worker

RUN_AHEAD = 512

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A source that wants to play."""

    file: str
    source: bytes


@dataclass(slots=True)
class Result:
    """What became of one candidate."""

    name: str
    file: str
    status: str
    symbols: tuple[str, ...] = ()
    violations: list[dict[str, Any]] = field(default_factory=list)
    play: Play | None = None
    endings: list[tuple[int, Verdict, str]] = field(default_factory=list)
    mode: str = "run-ahead"


def seed_of(season_seed: int, name: str, source_hash: str) -> int:
    """Return a bot's seed: SHA-256 of season seed, NAME and source hash, as a 64-bit number."""
    text = f"{season_seed}\x00{name}\x00{source_hash}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")


def hash_source(source: bytes) -> str:
    """Return the SHA-256 of a source in hex."""
    return hashlib.sha256(source).hexdigest()


def backtest(
    pool: Pool,
    candidates: Sequence[Candidate],
    market: Market,
    rules: Rules,
    *,
    seed: int = 0,
    run: int = RUN_AHEAD,
    progress: Progress | None = None,
) -> list[Result]:
    """Play every candidate over the whole market and return the results in the order given."""
    results, stages = [], []
    taken: dict[str, int] = {}
    for candidate in candidates:
        checked = pool.check(candidate.source)
        if not checked.accepted:
            results.append(Result("", candidate.file, "refused", violations=list(checked.violations)))
            continue
        try:
            bot_name, symbols = read_facts(checked.facts)
        except ValueError:
            results.append(Result("", candidate.file, "refused"))
            continue
        name = _own_name(bot_name, taken)
        result = Result(name, candidate.file, "ok", symbols)
        if not set(symbols) & set(market.symbols):
            result.status = "no_market"
        results.append(result)
        bot_seed = seed_of(seed, bot_name, hash_source(candidate.source))
        stages.append(Stage(pool, result, checked.program, market, rules, bot_seed, run))
    _play_all(stages, progress)
    return results


def _own_name(name: str, taken: dict[str, int]) -> str:
    taken[name] = taken.get(name, 0) + 1
    return name if taken[name] == 1 else f"{name} #{taken[name]}"


def _play_all(stages: Sequence[Stage], progress: Progress | None) -> None:
    open_stages = list(stages)
    try:
        while open_stages:
            asks = [stage.next_ask() for stage in open_stages]
            for stage, answer in zip(open_stages, gather(asks), strict=True):
                moved = stage.take(answer)
                if progress is not None and moved:
                    progress(moved)
            for stage in open_stages:
                if stage.over:
                    stage.close()
            open_stages = [stage for stage in open_stages if not stage.over]
    finally:
        for stage in stages:
            stage.close()


class Stage:
    """One bot on its way through a market: its worker, its play, its discipline."""

    def __init__(
        self,
        pool: Pool,
        result: Result,
        program: bytes,
        market: Market,
        rules: Rules,
        seed: int,
        run: int,
    ) -> None:
        self._pool = pool
        self._result = result
        self._program = program
        self._market = market
        self._rules = rules
        self._seed = seed
        self._run = run
        self.over = False
        self._reset()

    def _reset(self) -> None:
        self._play = Play(self._result.name, self._market, self._rules)
        self._result.play = self._play
        self._result.mode = "lockstep" if self._run == 1 else "run-ahead"
        self._record = Record()
        self._worker: Worker | None = None
        self._sent = 0
        self._starting = False

    # -- one exchange -----------------------------------------------------------------------------

    def next_ask(self) -> Ask:
        """Return the next request to the worker, starting it first."""
        if self._worker is None:
            return self._start()
        limits = self._pool.limits
        payload, self._sent = self._play.next_run(self._run)
        soft = limits.tick_cpu_soft if self._run == 1 else limits.run_cpu(self._sent)
        hard = limits.tick_cpu_hard if self._run == 1 else soft
        return Ask(self._worker, Kind.CALL, payload, soft, hard, limits.wall_backstop)

    def _start(self) -> Ask:
        at = self._play.sent
        seen = at > 0
        start = Start(
            bot_name=self._result.name, seed=self._seed,
            now=self._market.time(at - 1) if seen else 0.0, seen=seen,
            prices=self._market.prices(at - 1) if seen else {},
            last_prices=self._market.prices(at - 1) if seen else {},
            symbols=self._market.symbols, account=self._play.account,
            rules=(self._rules.starting_cash, self._rules.fee_bps, self._rules.slippage_bps),
        )  # fmt: skip
        self._worker, ask = self._pool.spawn(self._program, start.pack())
        self._starting = True
        return ask

    def take(self, answer: Answer) -> int:
        """Take the worker's answer; return how many ticks went by."""
        before = self._play.sent
        try:
            if answer.payload is None:
                self._fault(answer.verdict, answer.reason)
            elif self._starting:
                self._starting = False
                self._play.started(answer.payload)
            else:
                self._play.take(answer.payload, self._sent)
        except ValueError as error:
            assert self._worker is not None
            self._worker.kill(Ending(Verdict.PROTOCOL_ERROR, str(error)))
            self._fault(Verdict.PROTOCOL_ERROR, f"broke the protocol: {error}")
        if self._play.finished and not self._starting:
            self._finish("failed" if self._play.ledger.load_failed else None)
        return self._play.sent - before

    def _fault(self, verdict: Verdict, reason: str) -> None:
        assert self._worker is not None
        if self._run > 1 and not verdict.quarantines:
            self._worker.close()
            self._run = 1
            self._reset()
            return
        tick = self._play.sent
        self._result.endings.append((tick, verdict, reason))
        dead = self._starting or not self._worker.alive
        action = self._record.judge(verdict, tick, dead=dead)
        if action is Action.QUARANTINE:
            self._play.cancel_pending()
            self._play.mark_rest()
            self._finish("quarantined")
            return
        if dead:
            self._worker.close()
            self._worker = None
            for _ in range(min(self._record.restart_at, len(self._market)) - tick):
                self._play.skip()
        else:
            self._play.skip()
        self._starting = False

    def _finish(self, status: str | None) -> None:
        self._play.close()
        if self._result.status == "ok" and status is not None:
            self._result.status = status
        self.over = True

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None


def ranked_results(results: Sequence[Result]) -> list[Result]:
    """Return the results best first; the refused come last."""

    def key(result: Result) -> tuple[bool, float, float, str]:
        play = result.play
        if play is None:
            return (True, 0.0, 0.0, result.file)
        return (False, -play.equity, play.score.max_drawdown, result.name)

    return sorted(results, key=key)
