"""Plays bots over a recorded market: checked, isolated, ranked.

Also the trial run before admission. Run-ahead by default; a bot that leaves its budget there is
played again from the start in lockstep, and only that result counts.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from arena.core.exchange import Rules
from arena.core.seeds import seed_of
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.bot_run import BacktestResult, BotRun
from arena.engine.backtest.cpu_placement import placement
from arena.engine.backtest.foresight import MOST_CREDIBLE, Foresight
from arena.runtime.contract import read_facts
from sandbox.pool import Pool
from sandbox.talk.checked import CheckResult
from sandbox.talk.gather import gather
from sandbox.talk.request import WorkerReply
from sandbox.talk.wait import WorkerSelector

__all__ = [
    "LOCKSTEP",
    "RUN_AHEAD",
    "BacktestResult",
    "BotSource",
    "CheckedBot",
    "backtest",
    "check_candidates",
    "hash_source",
    "play_entries",
    "ranked_results",
    "seed_of",
]  # fmt: skip

RUN_AHEAD = 2048
LOCKSTEP = 1  # whatever ranks or compares bots of strangers: a worker never holds a tick to come
# Turns between two words on how far it has come.
_TURNS = 1024
# Seconds a tick: beyond, workers on both of two CPUs bring more than quick exchanges with one; sooner so on more CPUs.
_SLOW = 100e-6

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class BotSource:
    """A source that wants to play."""

    file: str
    source: bytes


def hash_source(source: bytes) -> str:
    """Return the SHA-256 of a source in hex."""
    return hashlib.sha256(source).hexdigest()


@dataclass(frozen=True, slots=True)
class CheckedBot:
    """A candidate that has been checked; without a program it was refused."""

    candidate: BotSource
    bot_name: str = ""
    symbols: tuple[str, ...] = ()
    program: bytes = b""
    violations: tuple[dict[str, Any], ...] = ()


def check_candidates(pool: Pool, candidates: Sequence[BotSource]) -> list[CheckedBot]:
    """Check every source, the same one once only."""
    found = {source: pool.check(source) for source in dict.fromkeys(each.source for each in candidates)}
    return [_entry(candidate, found[candidate.source]) for candidate in candidates]


def _entry(candidate: BotSource, checked: CheckResult) -> CheckedBot:
    if not checked.accepted:
        return CheckedBot(candidate, violations=tuple(checked.violations))
    try:
        bot_name, symbols = read_facts(checked.facts)
    except ValueError:
        return CheckedBot(candidate)
    return CheckedBot(candidate, bot_name, symbols, checked.program)


def backtest(
    pool: Pool,
    candidates: Sequence[BotSource],
    market: RecordedMarket,
    rules: Rules,
    *,
    seed: int | str = 0,
    run: int = RUN_AHEAD,
    progress: Progress | None = None,
) -> list[BacktestResult]:
    """Play every candidate over the whole market and return the results in the order given."""
    return play_entries(pool, check_candidates(pool, candidates), market, rules, seed=seed, run=run, progress=progress)


def play_entries(
    pool: Pool,
    entries: Sequence[CheckedBot],
    market: RecordedMarket,
    rules: Rules,
    *,
    seed: int | str = 0,
    run: int = RUN_AHEAD,
    progress: Progress | None = None,
    pin: bool = False,
    before: Mapping[str, int] | None = None,
) -> list[BacktestResult]:
    """Play what has been checked; `pin` places workers and this thread on CPUs of their own meanwhile.

    `before` says how many bots of a name come before these, where others of the same backtest are played elsewhere.
    """
    results, stages = [], []
    # Over a page two processes look without a pause: each must have a CPU of its own.
    in_turn = run == LOCKSTEP and pin and pool.pages and len(os.sched_getaffinity(0)) > 1
    taken = dict(before or {})
    for entry in entries:
        file, source = entry.candidate.file, entry.candidate.source
        if not entry.program:
            results.append(BacktestResult("", file, "refused", violations=list(entry.violations)))
            continue
        result = BacktestResult(_own_name(entry.bot_name, taken), file, "ok", entry.symbols)
        if not set(entry.symbols) & set(market.symbols):
            result.status = "no_market"
        results.append(result)
        bot_seed = seed_of(seed, entry.bot_name, hash_source(source))
        stages.append(BotRun(pool, result, entry.program, market, rules, bot_seed, run, in_turn=in_turn))
    with placement(len(stages)) if pin else nullcontext() as places:
        for stage in stages:
            stage.places = places
        try:
            if in_turn and places is not None:
                _play_in_turn(stages, progress, _SLOW / (places.cpus - 1))
            elif run == LOCKSTEP:
                _play_in_step(stages, progress)
            else:
                _play_apart(stages, progress)
                _play_again(stages, market, rules)
        finally:
            for stage in stages:
                stage.close()
    return results


def _own_name(name: str, taken: dict[str, int]) -> str:
    taken[name] = taken.get(name, 0) + 1
    return name if taken[name] == 1 else f"{name} #{taken[name]}"


def _play_in_step(stages: Sequence[BotRun], progress: Progress | None) -> None:
    """Show every bot one tick after the other, all of them at once: one request serves for many."""
    while stages:
        asks, moved, left = [stage.next_ask() for stage in stages], 0, len(stages)
        for stage, answer in zip(stages, gather(asks), strict=True):
            moved += stage.take(answer)
            if stage.over:
                stage.close()
                left -= 1
        if progress is not None:
            progress(moved)
        if left < len(stages):
            stages = [stage for stage in stages if not stage.over]


def _play_in_turn(stages: Sequence[BotRun], progress: Progress | None, most: float) -> None:
    """Play one bot after the other: what it needs stays in the CPU's cache from one tick to the next.

    Bots that take more than `most` seconds a tick are put off, and played all at once in the end.
    """
    for stage, answer in zip(stages, gather([stage.next_ask() for stage in stages]), strict=True):
        stage.take(answer)
    if progress is not None:
        progress(0)
    slow = [stage for stage in stages if not _take_turns(stage, progress, most if len(stages) > 1 else math.inf)]
    if len(slow) == 1:
        _take_turns(slow[0], progress, math.inf)
    elif slow:
        for stage in slow:
            stage.spread()
        _play_in_step(slow, progress)


def _take_turns(stage: BotRun, progress: Progress | None, most: float) -> bool:
    """Play one bot to the end of the market; False where it has taken more than `most` seconds a tick."""
    while not stage.over:
        began = time.monotonic()
        moved = stage.take_turns(_TURNS)
        if progress is not None:
            progress(moved)
        if time.monotonic() - began > moved * most:
            break
    stage.rest()
    return stage.over


def _play_apart(stages: Sequence[BotRun], progress: Progress | None) -> None:
    """Keep every bot busy at its own pace."""
    with WorkerSelector[BotRun]() as relay:
        for stage in stages:
            relay.ask(stage, stage.next_ask())
        while relay:
            for stage, answer in relay.turn():
                moved = _advance(relay, stage, answer)
                if progress is not None and moved:
                    progress(moved)


def _play_again(stages: Sequence[BotRun], market: RecordedMarket, rules: Rules) -> None:
    """Play those again in lockstep whose run-ahead result is out of all proportion; only that result counts."""
    foresight, again = Foresight(market, rules), []
    for stage in stages:
        result = stage.result
        if result.mode == "run-ahead" and result.play is not None:
            gain = (result.play.equity / rules.starting_cash - 1.0) * 100.0
            share = foresight.share(result.play.equity)
            if share > MOST_CREDIBLE:
                stage.again()
                again.append((stage, gain, share))
    if again:
        _play_in_step([stage for stage, _, _ in again], None)
    for stage, gain, share in again:
        stage.result.note = (
            f"Played again in lockstep: run-ahead gave {gain:+.2f} %, {share:.0%} of what perfect foresight of this "
            f"market makes (more than {MOST_CREDIBLE:.0%} is not believed)."
        )


def _advance(relay: WorkerSelector[BotRun], stage: BotRun, answer: WorkerReply) -> int:
    """Take an answer and ask on: the worker plays its next run while the last one is recomputed here."""
    before, worker = stage.position, stage.worker
    ask = stage.receive(answer)
    if ask is not None:
        relay.ask(stage, ask)
    if not stage.read():
        ask = None
    if stage.over:
        stage.close()
    if worker is not None and stage.worker is not worker:
        relay.forget(worker)
    if ask is None and not stage.over:
        relay.ask(stage, stage.next_ask())
    return stage.position - before


def ranked_results(results: Sequence[BacktestResult]) -> list[BacktestResult]:
    """Return the results best first; the refused come last."""

    def key(result: BacktestResult) -> tuple[bool, float, float, str]:
        play = result.play
        if play is None:
            return (True, 0.0, 0.0, result.file)
        return (False, -play.equity, play.score.max_drawdown, result.name)

    return sorted(results, key=key)
