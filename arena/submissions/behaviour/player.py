"""Plays one checked bot over tapes, each in a fresh locked worker, and keeps what it did."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from arena.core.exchange import Rules
from arena.core.seeds import seed_of
from arena.engine.backtest.account import BacktestAccount, OrderRecord, RecordedMarket
from arena.runtime.start import Start
from arena.runtime.wire import BotError, traced
from arena.runtime.wire import read_reply as read_answer
from sandbox.pool import Pool
from sandbox.talk.gather import gather
from sandbox.talk.protocol import Kind
from sandbox.talk.request import WorkerRequest
from sandbox.talk.verdict import Verdict

_RUN = 256


@dataclass(slots=True)
class Run:
    """What a bot did on a tape: its account with orders and fills, errors by tick, traces by tick, CPU seconds.

    `ending` is where it had to be stopped: the tick, the verdict and the reason.
    """

    account: BacktestAccount
    errors: list[tuple[int, BotError]] = field(default_factory=list)
    traces: dict[int, dict[str, Any]] = field(default_factory=dict)
    cpu: float = 0.0
    ending: tuple[int, Verdict, str] | None = None

    @property
    def orders(self) -> list[OrderRecord]:
        """Return the orders as they were made."""
        return self.account.ledger.orders

    def positions(self, tick: int) -> dict[str, float]:
        """Return what is held of each symbol after the fills of a tick, without what was sold in full."""
        held: dict[str, float] = {}
        for trade in self.account.ledger.trades:
            if trade.tick > tick:
                break
            held[trade.fill.symbol] = trade.fill.position_after
        return {symbol: size for symbol, size in held.items() if size}

    def wealth(self, tick: int) -> tuple[float, float]:
        """Return cash and equity after the fills of a tick."""
        cash = self.account.rules.starting_cash
        for trade in self.account.ledger.trades:
            if trade.tick > tick:
                break
            cash = trade.fill.cash_after
        prices = self.account.market.last_prices(tick)
        return cash, cash + sum(size * prices.get(symbol, 0.0) for symbol, size in self.positions(tick).items())

    def signals(self) -> list[tuple[int, str, str]]:
        """Return tick, symbol and side of every order that was well formed."""
        return [(order.tick, order.symbol, order.side) for order in self.orders if not order.at_once]


class BotPlayer:
    """One bot, ready to be played over any tape; `cpu` is what all its runs have used, in seconds."""

    def __init__(self, pool: Pool, program: bytes, bot_name: str, source_hash: str, rules: Rules) -> None:
        self._pool, self._program, self._bot_name, self._rules = pool, program, bot_name, rules
        self._seed = seed_of(0, bot_name, source_hash)
        self.cpu = 0.0

    def play(
        self, market: RecordedMarket, traced_ticks: Collection[int] = (), run: int = _RUN, program: bytes | None = None
    ) -> Run:
        """Play a market from its first tick; ticks that are traced are shown alone.

        `program` is played in place of the bot's own: one that does the same and shows more of it. A bot that leaves
        its budget where it runs ahead is played again one tick at a time.
        """
        program = program or self._program
        played = self._play(program, market, traced_ticks, run)
        if played.ending is not None and run > 1 and played.ending[1] in {Verdict.TIMEOUT, Verdict.OUTPUT_LIMIT}:
            return self._play(program, market, traced_ticks, 1)
        return played

    def _play(self, program: bytes, market: RecordedMarket, traced_ticks: Collection[int], run: int) -> Run:
        account = BacktestAccount(self._bot_name, market, self._rules)
        start = Start(
            bot_name=self._bot_name, seed=self._seed, now=0.0, seen=False, prices={}, last_prices={},
            symbols=market.symbols, account=account.account, rules=self._rules.parts,
        )  # fmt: skip
        played = Run(account)
        alone = sorted(set(traced_ticks))
        limits = self._pool.limits
        worker, ask = self._pool.spawn(program, start.pack())
        try:
            answer = gather([ask])[0]
            if answer.payload is None:
                played.ending = (0, answer.verdict, answer.reason)
                return played
            self._read(played, answer.payload, 0, 0)
            account.started(answer.payload)
            while not account.finished and not account.ledger.load_failed:
                at = account.sent
                while alone and alone[0] < at:
                    alone.pop(0)
                wanted = bool(alone) and alone[0] == at
                most = 1 if wanted else min(run, alone[0] - at if alone else run)
                payload, sent = account.next_run(most)
                # Tracing makes a tick slower by a known factor at most; it is no fault of the bot's.
                budget = limits.run_cpu(sent) * (20 if wanted else 1)
                request = WorkerRequest(
                    worker, Kind.CALL, traced(payload) if wanted else payload, budget, budget, limits.wall_backstop
                )
                answer = gather([request])[0]
                if answer.payload is None:
                    played.ending = (at, answer.verdict, answer.reason)
                    break
                self._read(played, answer.payload, sent, at)
                account.take(answer.payload, sent)
        except ValueError as error:
            played.ending = (account.sent, Verdict.PROTOCOL_ERROR, str(error))
        finally:
            played.cpu = worker.cpu()
            self.cpu += played.cpu
            worker.close()
        account.close()
        return played

    @staticmethod
    def _read(played: Run, payload: bytes, sent: int, at: int) -> None:
        for offset, deeds in read_answer(payload, sent).deeds.items():
            played.errors += [(at + offset, error) for error in deeds.errors]
            if deeds.trace:
                found = read_trace(deeds.trace)
                if found is not None:
                    played.traces[at + offset] = found


def read_trace(record: bytes) -> dict[str, Any] | None:
    """Return a tick's trace from the worker's bytes, which are hostile; None where they are not of its form."""
    try:
        found = json.loads(record)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("steps"), list):
        return None
    if not all(isinstance(found.get(name), dict) for name in ("globals", "after")):
        return None
    steps = [step for step in found["steps"] if _is_step(step)]
    left_out = found.get("left_out")
    return {
        "globals": found["globals"], "after": found["after"], "steps": steps,
        "left_out": left_out if type(left_out) is int else 0,
    }  # fmt: skip


_STEP_LENGTHS = {"line": 5, "ctx": 5, "return": 4, "raise": 4}


def _is_step(step: object) -> bool:
    if not isinstance(step, list) or len(step) < 4 or _STEP_LENGTHS.get(str(step[0])) != len(step):
        return False
    if type(step[1]) is not int or not isinstance(step[2], str):
        return False
    return step[0] != "line" or (isinstance(step[3], dict) and isinstance(step[4], dict))
