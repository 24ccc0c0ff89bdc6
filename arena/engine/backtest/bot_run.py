"""One bot on its way through a recorded market: its worker, its play, its discipline."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from arena.core.exchange import Rules
from arena.engine.backtest.account import BacktestAccount, RecordedMarket
from arena.engine.backtest.cpu_placement import CpuPlacement
from arena.engine.discipline import Action, StrikeRecord
from arena.runtime.start import Start
from sandbox.pool import Pool
from sandbox.talk.gather import gather
from sandbox.talk.page_channel import PageChannel
from sandbox.talk.protocol import Kind
from sandbox.talk.request import REPLY_AS_EXPECTED, WorkerReply, WorkerRequest
from sandbox.talk.verdict import Ending, Verdict
from sandbox.talk.worker import Worker

# A run is written at once, because it fits into a pipe (64 KiB).
_RUN_BYTES = 48 * 1024


@dataclass(slots=True)
class BacktestResult:
    """What became of one candidate."""

    name: str
    file: str
    status: str
    symbols: tuple[str, ...] = ()
    violations: list[dict[str, Any]] = field(default_factory=list)
    play: BacktestAccount | None = None
    endings: list[tuple[int, Verdict, str]] = field(default_factory=list)
    mode: str = "run-ahead"
    note: str = ""


class BotRun:
    """One bot on its way through a market: its worker, its play, its discipline."""

    def __init__(
        self,
        pool: Pool,
        result: BacktestResult,
        program: bytes,
        market: RecordedMarket,
        rules: Rules,
        seed: int,
        run: int,
        *,
        in_turn: bool = False,
    ) -> None:
        """Prepare a bot; one that plays `in_turn` is asked over the page that its worker shares with us."""
        self._pool = pool
        limits = pool.limits
        self._soft, self._hard, self._wall = limits.tick_cpu_soft, limits.tick_cpu_hard, limits.wall_backstop
        self._result = result
        self._program = program
        self._market = market
        self._rules = rules
        self._seed = seed
        self._run = max(1, min(run, _RUN_BYTES // (8 + 8 * len(market.symbols))))
        self._in_turn = in_turn
        self.places: CpuPlacement | None = None
        self.over = False
        self._ask: WorkerRequest | None = None
        self._reset()

    def _reset(self) -> None:
        self._play = BacktestAccount(self._result.name, self._market, self._rules)
        self._result.play = self._play
        self._result.mode = "lockstep" if self._run == 1 else "run-ahead"
        self._record = StrikeRecord()
        self.worker: Worker | None = None
        self._turns: PageChannel | None = None
        self._sent = 0
        self._starting = False

    @property
    def result(self) -> BacktestResult:
        """Return what becomes of the bot."""
        return self._result

    @property
    def position(self) -> int:
        """Return how many ticks have been played."""
        return self._play.sent

    # -- one exchange -----------------------------------------------------------------------------

    def next_ask(self) -> WorkerRequest:
        """Return the next request to the worker, starting it first."""
        worker = self.worker
        if worker is None:
            return self._start()
        if self._run == 1:
            self._sent = 1
            ask = self._ask
            if ask is None or ask.worker is not worker:
                ask = self._ask = WorkerRequest(worker, Kind.CALL, b"", self._soft, self._hard, self._wall)
            ask.payload, ask.expected_reply = self._play.next_tick()
            return ask
        payload, self._sent = self._play.next_run(self._run)
        budget = self._pool.limits.run_cpu(self._sent)
        return WorkerRequest(worker, Kind.CALL, payload, budget, budget, self._wall)

    def _start(self) -> WorkerRequest:
        at = self._play.sent
        seen = at > 0
        start = Start(
            bot_name=self._result.name, seed=self._seed,
            now=self._market.time(at - 1) if seen else 0.0, seen=seen,
            prices=self._market.prices(at - 1) if seen else {},
            last_prices=self._market.last_prices(at - 1) if seen else {},
            symbols=self._market.symbols, account=self._play.account,
            rules=self._rules.parts,
        )  # fmt: skip
        self.worker, ask = self._pool.spawn(self._program, start.pack())
        page = self.worker.page if self._in_turn else None
        self._turns = None if page is None else PageChannel(self.worker, page)
        if self.places is not None:
            if page is None:
                self.places.place(self.worker, in_turn=self._run == 1)
            else:
                self.places.face(self.worker)
        self._starting = True
        return ask

    def take_turns(self, most: int) -> int:
        """Take turns with the worker for at most so many ticks, or a second; return how many there were."""
        before, ends = self._play.sent, time.monotonic() + 1.0
        left = most
        while not self.over and left > 0 and time.monotonic() < ends:
            ask, turns = self.next_ask(), self._turns
            if turns is None or self._starting:
                self.take(gather([ask])[0])
            else:
                self._take_turns(turns, ask, left)
            left = before + most - self._play.sent
        return self._play.sent - before

    def _take_turns(self, turns: PageChannel, ask: WorkerRequest, most: int) -> None:
        """Have one tick answered, and those after it as long as nothing is done at any."""
        answer: WorkerReply | None = turns.ask(ask)
        assert answer is not None
        self.take(answer)
        if answer is REPLY_AS_EXPECTED and not self.over:
            most = self._play.most_quiet_ticks(most - 1)
            passed, answer = turns.repeat(ask, self._market.each_alone(self._play.sent, most))
            self._play.pass_ticks(passed)
            if answer is not None:
                self.take(answer)
            elif self._play.finished:
                self._finish(None)

    def rest(self) -> None:
        """Take no more turns for now."""
        if self._turns is not None:
            self._turns.stop_polling()

    def spread(self) -> None:
        """Have the worker play beside others from now on, asked over its pipe."""
        self._in_turn, self._turns = False, None
        if self.places is not None and self.worker is not None:
            self.places.spread(self.worker)

    def take(self, answer: WorkerReply) -> int:
        """Take an answer wholly and return how many ticks it brought the bot on."""
        play, before = self._play, self._play.sent
        if answer is REPLY_AS_EXPECTED:
            play.pass_ticks(1)
            if play.finished:
                self._finish(None)
            return 1
        self.receive(answer)
        self.read()
        return self._play.sent - before

    def receive(self, answer: WorkerReply) -> WorkerRequest | None:
        """Take an answer; return the next request where it need not wait until `read` is done."""
        try:
            if answer.payload is None:
                assert self.worker is not None
                self._fault(answer.verdict, answer.reason, dead=self._starting or not self.worker.alive)
            elif self._starting:
                self._starting = False
                self._play.started(answer.payload)
            else:
                self._play.receive(answer.payload, self._sent)
                # In lockstep the account after this tick comes first: the next question says what it must be.
                return self.next_ask() if self._run > 1 and self._play.runs_on else None
        except ValueError as error:
            self._broke_protocol(error)
        return None

    def read(self) -> bool:
        """Recompute what was received; False where it broke the protocol and the worker is gone."""
        held = True
        try:
            self._play.read()
        except ValueError as error:
            self._broke_protocol(error)
            held = False
        if self._play.finished and not self._starting:
            self._finish("failed" if self._play.ledger.load_failed else None)
        return held

    def again(self) -> None:
        """Play from the start again, in lockstep: no price to come enters the worker."""
        self.close()
        self._run, self.over = 1, False
        self._result.status = self._result.status if self._result.status == "no_market" else "ok"
        self._reset()

    def _broke_protocol(self, error: ValueError) -> None:
        assert self.worker is not None
        self.worker.kill(Ending(Verdict.PROTOCOL_ERROR, str(error)))
        self._fault(Verdict.PROTOCOL_ERROR, f"broke the protocol: {error}", dead=True)

    def _fault(self, verdict: Verdict, reason: str, *, dead: bool) -> None:
        if self._run > 1:
            # Whatever it has made so far, it may have made with prices to come: only lockstep's verdict counts.
            self._result.note = f"Played again in lockstep: in run-ahead, after tick {self._play.sent}, it {reason}."
            self.again()
            return
        tick = self._play.sent
        self._result.endings.append((tick, verdict, reason))
        action = self._record.judge(verdict, tick, dead=dead)
        self._starting = False
        if action is Action.QUARANTINE:
            self._play.cancel_pending()
            self._play.mark_rest()
            self._finish("quarantined")
            return
        skipped = 1
        if dead:
            self.close()
            skipped = min(self._record.restart_at, len(self._market)) - tick
        for _ in range(skipped):
            self._play.skip()

    def _finish(self, status: str | None) -> None:
        self._play.close()
        if self._result.status == "ok" and status is not None:
            self._result.status = status
        self.over = True

    def close(self) -> None:
        """End the worker."""
        if self.worker is not None:
            self.worker.close()
            self.worker = self._turns = None
