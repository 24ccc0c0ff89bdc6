"""The workers of all seats: starts, late answers, verdicts, restarts, quarantine."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from arena.core.seeds import seed_of
from arena.engine.backtest.cpu_placement import placement
from arena.engine.discipline import Action
from arena.engine.live.blocks import Block
from arena.engine.live.observer import Observer
from arena.engine.live.tick import TickBuilder
from arena.engine.live.tick_payload import TickPayload
from arena.engine.seat import RUNNING, Life, Seat
from arena.engine.state import SeasonState
from arena.runtime.start import Start
from arena.runtime.wire import BotActions, BotReply, quiet_reply, read_reply
from sandbox.errors import SandboxError
from sandbox.pool import Pool
from sandbox.talk.gather import gather
from sandbox.talk.protocol import Frame, Kind
from sandbox.talk.request import REPLY_AS_EXPECTED, WorkerReply, WorkerRequest, collect_late_reply
from sandbox.talk.verdict import Ending, Verdict
from sandbox.talk.wait import look_for_reply, wait_for_reply
from sandbox.talk.worker import Worker

log = logging.getLogger("arena.engine")

# Seconds that bots may be asked ahead at one tick, all together: the clock says in between that it is alive.
_AHEAD_SECONDS = 0.25


class Supervisor:
    """Owns every conversation with the workers; used by the engine's thread only."""

    def __init__(
        self, pool: Pool, state: SeasonState, deadline: float | None, observer: Observer | None = None
    ) -> None:
        """Serve one season; bots have `deadline` seconds a tick to answer, None for as long as their CPU time lasts."""
        self._observer = observer or Observer()
        self._pool = pool
        self._state = state
        self._deadline = deadline
        # Bots whose answer was late: its end, once it comes, is not a strike again.
        self._struck: set[str] = set()
        # Replies that have come before their tick, in a recording that nobody waits for.
        self.block = Block(state.rules)

    @property
    def zygote_pid(self) -> int | None:
        """Return the id of the process that workers are forked from."""
        return self._pool.zygote_pid

    @property
    def deadline(self) -> float | None:
        """Return the seconds that bots have to answer a tick, None where only their CPU time counts."""
        return self._deadline

    @deadline.setter
    def deadline(self, seconds: float | None) -> None:
        self._deadline = seconds

    # -- starting -------------------------------------------------------------------------------------

    def launch(self, seat: Seat) -> None:
        """Start a worker and send it the bot, with the market as of the last tick; a later tick takes the answer."""
        start = self._start_of(seat)
        try:
            seat.worker, ask = self._pool.spawn(seat.program, start.pack())
        except SandboxError as error:
            log.error("Bot '%s' cannot start: %s", seat.name, error, extra={"bot": seat.name})
            seat.worker = None
            return
        seat.symbols_told = -1
        seat.started = False
        seat.launched = (self._state.market.n, start.now)
        self._struck.discard(seat.id)
        if seat.record.strikes:
            # It has cost the others time already: until it answers in time it runs when no other wants to.
            seat.worker.demote()
        seat.worker.ask(ask.kind, ask.payload, ask.hard)

    def _start_of(self, seat: Seat) -> Start:
        state, market = self._state, self._state.market
        own = seat.seed
        return Start(
            bot_name=seat.name,
            seed=seed_of(state.chance, seat.bot.name, seat.bot.source_hash) if own is None else own,
            now=market.time, seen=bool(market.prices), prices=market.prices, last_prices=market.last_prices,
            symbols=market.symbols, account=seat.account, rules=state.rules.parts,
        )  # fmt: skip

    def note_absences(self, builder: TickBuilder) -> None:
        """Journal who is not asked from this tick on because its memory is brought back, and who is asked again."""
        for seat in builder.seats:
            if seat.life is Life.RECOVERING and not seat.away:
                builder.event(seat, "recovering")
                builder.updates[seat.id].away = True
            elif seat.away and not seat.reviving and seat.life in {Life.ACTIVE, Life.PAUSED}:
                builder.event(seat, "recovered")
                builder.updates[seat.id].away = False

    def collect_starts(self, builder: TickBuilder) -> None:
        """Take the answers of bots that have been loading; their orders settle at this tick."""
        for seat in builder.seats:
            if seat.life not in {Life.STARTING, Life.RESTARTING} or seat.worker is None:
                continue
            got = self._loaded(seat.worker)
            if isinstance(got, Ending):
                self.fault(seat, builder, got.verdict, got.reason, dead=True)
            elif got is not None:
                self._take_start(seat, got.payload, builder)

    def _loaded(self, worker: Worker) -> Frame | Ending | None:
        """Return what a loading worker says; a replay waits for it, the live clock does not."""
        request = self._pool.start_request(worker)
        return wait_for_reply(request) if self._deadline is None else look_for_reply(request)

    def _take_start(self, seat: Seat, payload: bytes, builder: TickBuilder) -> None:
        try:
            reply = read_reply(payload, 0)
        except ValueError as error:
            self._broke_protocol(seat, builder, error)
            return
        update = builder.updates[seat.id]
        event = "start" if seat.life is Life.STARTING else "restarted"
        update.life, update.started, update.away = Life.ACTIVE, True, False
        # What the bot was loaded with decides what its `init` saw: a replay needs to know.
        builder.event(seat, event, f"loaded after tick {seat.launched[0]}")
        for deeds in reply.deeds.values():
            builder.note_start(seat, deeds)

    def restart_due(self, seats: Sequence[Seat], n: int) -> list[Seat]:
        """Return the seats whose back-off is over."""
        return [
            seat for seat in seats
            if seat.worker is None and seat.host is None and seat.program and (
                seat.life is Life.STARTING
                or (seat.life is Life.RESTARTING and n >= seat.record.restart_at)
            )
        ]  # fmt: skip

    # -- asking ---------------------------------------------------------------------------------------

    def ask(self, tick: TickPayload, builder: TickBuilder) -> None:
        """Show this tick to every bot that is free and note what each did by the deadline."""
        seats = builder.seats
        free = [seat for seat in seats if self._is_free(seat, builder)]
        builder.end_phase()
        replies = {seat.id: self.block.answer(seat, builder.n) for seat in free}
        unasked = [seat for seat in free if replies[seat.id] is None]
        asks = [self._ask_of(seat, tick, builder) for seat in unasked]
        if self.block.holds(builder.n):
            self._play_block(unasked, asks, builder, replies)
            left = [ask for seat, ask in zip(unasked, asks, strict=True) if replies[seat.id] is None]
            unasked, asks = [seat for seat in unasked if replies[seat.id] is None], left
        if asks:
            workers = [seat.worker for seat in seats if seat.worker is not None]
            busy = [worker for worker in workers if worker.waiting_for is not None]
            for seat, reply in zip(unasked, gather(asks, self._deadline, busy), strict=True):
                replies[seat.id] = reply
        for seat in free:
            answer = replies[seat.id]
            assert answer is not None
            self._take(seat, answer, builder)
        builder.end_phase()

    def _play_block(
        self,
        seats: Sequence[Seat],
        asks: Sequence[WorkerRequest],
        builder: TickBuilder,
        replies: dict[str, WorkerReply | None],
    ) -> None:
        """Have bots answer this tick and those after it, one bot after the other, as far as that goes."""
        ends = time.monotonic() + _AHEAD_SECONDS
        with placement(len(seats)) as places:
            for seat, ask in zip(seats, asks, strict=True):
                if ask.worker.page is None or ask.worker.demoted or time.monotonic() >= ends:
                    continue
                update = builder.updates[seat.id]
                waiting = [(each.due, each.order) for each in update.waiting]
                places.face(ask.worker)
                replies[seat.id] = self.block.play(seat, ask, builder.n, update.account, waiting, ends)
                places.free(ask.worker)

    def spread(self, builder: TickBuilder) -> None:
        """Quarantine every bot with the source of one that has attacked or crashed natively at this tick."""
        tainted = {seat.bot.source_hash: reason for _, seat, reason in builder.taints}
        for source_hash, reason in tainted.items():
            for seat in builder.seats:
                if seat.bot.source_hash == source_hash and builder.updates[seat.id].life in RUNNING:
                    self.quarantine(seat, builder, f"has the source of a bot that {reason}")

    def _is_free(self, seat: Seat, builder: TickBuilder) -> bool:
        if builder.updates[seat.id].life is not Life.ACTIVE or seat.worker is None:
            return False
        # The end of a worker that has died in a block counts at its own tick, which the engine still comes to.
        if seat.worker.waiting_for is None or self.block.answer(seat, builder.n) is not None:
            return True
        limits = self._pool.limits
        state = collect_late_reply(
            WorkerRequest(seat.worker, Kind.CALL, b"", limits.tick_cpu_soft, limits.tick_cpu_hard, limits.wall_backstop)
        )
        if isinstance(state, Ending):
            # The strike for this answer was counted when it was late; its end costs a restart only.
            known = seat.id in self._struck and not state.verdict.quarantines
            verdict = Verdict.LATE if known else state.verdict
            self.fault(seat, builder, verdict, state.reason, dead=True)
            return False
        if state:
            self._struck.discard(seat.id)
            return True
        builder.event(seat, "skipped")
        return False

    def _ask_of(self, seat: Seat, tick: TickPayload, builder: TickBuilder) -> WorkerRequest:
        assert seat.worker is not None
        account, limits = builder.updates[seat.id].account, self._pool.limits
        ask = WorkerRequest(
            seat.worker, Kind.CALL, tick.alone, limits.tick_cpu_soft, limits.tick_cpu_hard, limits.wall_backstop
        )
        # Where it has this very account and has ordered nothing since, its mirror is true.
        if seat.told is None or seat.told[0] is not account or seat.symbols_told != tick.version:
            ask.payload = tick.packed(account, with_symbols=seat.symbols_told != tick.version)
            seat.told = (account, quiet_reply(account))
            seat.symbols_told = tick.version
        ask.expected_reply = seat.told[1]
        return ask

    def _take(self, seat: Seat, answer: WorkerReply, builder: TickBuilder) -> None:
        if answer is REPLY_AS_EXPECTED:
            builder.note_idle(seat)
            return
        seat.told = None
        if answer.payload is None:
            dead = seat.worker is None or not seat.worker.alive
            self.fault(seat, builder, answer.verdict, answer.reason, dead=dead)
            return
        try:
            reply = read_reply(answer.payload, 1)
            _whole(reply)
        except ValueError as error:
            self._broke_protocol(seat, builder, error)
            return
        deeds = reply.deeds.get(0) or BotActions()
        if not deeds.requests:
            account = builder.updates[seat.id].account
            seat.told = (account, quiet_reply(account))
        builder.note(seat, deeds)
        if any(error.memory for error in deeds.errors):
            self.fault(seat, builder, Verdict.MEMORY, "ran out of memory", dead=False, answered=True)

    def _broke_protocol(self, seat: Seat, builder: TickBuilder, error: ValueError) -> None:
        assert seat.worker is not None
        seat.worker.kill(Ending(Verdict.PROTOCOL_ERROR, str(error)))
        self.fault(seat, builder, Verdict.PROTOCOL_ERROR, f"broke the protocol: {error}", dead=True)

    # -- verdicts -------------------------------------------------------------------------------------

    def fault(
        self,
        seat: Seat,
        builder: TickBuilder,
        verdict: Verdict,
        reason: str,
        *,
        dead: bool,
        answered: bool = False,
    ) -> None:
        """Act on what a bot did wrong, and say it in one line."""
        self._observer.judged(verdict)
        if verdict is Verdict.LOST:
            # Not the bot's fault: the engine brings all of them back before the next tick.
            self.end(seat)
            builder.updates[seat.id].life = Life.RECOVERING
            builder.event(seat, "skipped", reason)
            return
        action = seat.record.judge(verdict, builder.n, dead=dead)
        if not answered:
            builder.event(seat, "killed" if dead else "late", f"{verdict.name}: {reason}")
        if verdict.strikes:
            self._struck.add(seat.id)
        strikes = len(seat.record.strikes)
        words = f"Bot '{seat.name}' {reason}"
        if verdict.strikes:
            words += f" (strike {strikes} of 3)"
        if dead:
            self.end(seat)
        if action is Action.QUARANTINE:
            if verdict.quarantines:
                builder.taint(seat, reason)
            self.quarantine(seat, builder, reason)
            return
        if action is Action.RESTART:
            builder.updates[seat.id].life = Life.RESTARTING
            words += f"; it restarts at tick {seat.record.restart_at}"
        builder.say(seat, "WARNING", words)

    def quarantine(self, seat: Seat, builder: TickBuilder, reason: str) -> None:
        """End a bot's worker and ask it no more."""
        self.end(seat)
        builder.quarantine(seat, reason)

    def end(self, seat: Seat) -> None:
        """End a seat's worker."""
        if seat.host is not None:
            seat.host.forget(seat)
            seat.host, seat.alive_there = None, False
        if seat.worker is not None:
            seat.worker.close()
            seat.worker = None
        self.block.forget(seat)
        self._struck.discard(seat.id)


def _whole(reply: BotReply) -> None:
    if reply.done != 1:
        raise ValueError("an answer that covers no tick")
