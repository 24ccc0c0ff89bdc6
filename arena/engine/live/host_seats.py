"""The seats that one host plays: it settles, asks and reads for them, and says what came of it.

It has no database and no secret of the season: its accounts are the head's, tick by tick, and so is its clock.
"""

from __future__ import annotations

import array
import sys
import time
from collections import deque
from collections.abc import Sequence

from arena.core.exchange import RULES_VERSION, Conditions, Rules
from arena.core.scoring import Score
from arena.engine.live.host_messages import (
    Admission,
    HostResult,
    HostTick,
    Memory,
    OrderEnd,
    OrderMade,
    SeasonStart,
    SeatChange,
    TradeMade,
    account_from,
    account_parts,
    order_parts,
    orders_from,
)
from arena.engine.live.memory_budget import memories_of
from arena.engine.live.play import MarketTick, OwnNumbers, play_tick, take_tick
from arena.engine.live.supervisor import Supervisor
from arena.engine.live.tick import TickBuilder
from arena.engine.seat import Life, LogAllowance, OrderTally, Seat, SeatUpdate
from arena.engine.state import MarketState, SeasonState
from arena.log import RateLimit
from arena.store.bulk import Row
from arena.store.models import Bot, Entry, Season
from sandbox.errors import SandboxError
from sandbox.pool import Pool
from sandbox.talk.gather import gather
from sandbox.talk.snapshot import read_restored, read_snapshot
from sandbox.talk.worker import Worker

_SAVE_SECONDS = 0.25  # that the memories asked for at one tick may take together
_MEASURED = 16  # workers whose memory is read at one tick, in turns: to read it of all takes as long as the tick


class HostSeats:
    """The seats of one season on one host; used by one thread."""

    def __init__(self, pool: Pool, start: SeasonStart) -> None:
        """Take part in a season as of its last tick, with no seat yet."""
        rules = Rules(*start.rules)
        self._market = MarketState(
            start.n, start.time, dict(start.prices), dict(start.last_prices), tuple(start.symbols), start.version,
            dict(start.ended),
        )  # fmt: skip
        # Of a season a host knows what its seats need; the rest stays at the head.
        season = Season(
            id=start.season_id, number=0, key="", feed="", interval=0.0, starting_cash=rules.starting_cash,
            fee_bps=rules.fee_bps, slippage_bps=rules.slippage_bps, delay_ticks=rules.delay_ticks,
            rules_version=RULES_VERSION, opened_at=0.0,
        )  # fmt: skip
        self._pool = pool
        self._rules = rules
        self._start = start
        self._supervisor = Supervisor(pool, SeasonState(season, rules, "", self._market), None)
        self._numbers = OwnNumbers()
        self._limit = RateLimit()
        self._seats: dict[str, Seat] = {}
        self._large: list[Worker] = []
        self._memory: dict[str, int] = {}
        self._to_measure: deque[str] = deque()

    def play(self, tick: HostTick) -> HostResult:
        """Play one tick with the seats that are there after the comings and goings before it."""
        began = time.monotonic()
        self._allow_small_frames()
        for bot_id in tick.remove:
            self._remove(bot_id)
        failed = [bot_id for bot_id in map(self._admit, tick.admit) if bot_id]
        for bot_id, life in tick.lives:
            self._seats[bot_id].life = Life(life)
        seats = sorted(self._seats.values(), key=lambda seat: seat.place)
        market, self._supervisor.deadline = self._market, tick.deadline
        market.admit_symbols(tick.prices)
        facts = MarketTick(
            tick.n, tick.time, tick.prices, {**market.last_prices, **tick.prices}, Conditions(tick.barred, tick.ended)
        )
        for seat in self._supervisor.restart_due(seats, tick.n):
            self._supervisor.launch(seat)
        builder = TickBuilder(
            seats, self._start.season_id, tick.n, tick.time, self._rules, self._numbers, self._limit,
            self._start.log_bytes,
        )  # fmt: skip
        for bot_id in failed:
            # It was to come with its memory, which could not be restored: it is brought back from the record.
            builder.updates[bot_id].life = Life.RECOVERING
            builder.event(self._seats[bot_id], "skipped", "its memory could not be moved")
        play_tick(self._supervisor, market, facts, builder)
        result = self._result(builder, tick)
        for update in builder.updates.values():
            update.apply()
        take_tick(market, facts)
        memories = self._memories([*tick.save, *tick.give])
        for bot_id in tick.give:
            self._remove(bot_id)
        return result._replace(memories=memories, seconds=time.monotonic() - began)

    def end(self) -> None:
        """End every worker."""
        for bot_id in list(self._seats):
            self._remove(bot_id)

    # -- coming and going ---------------------------------------------------------------------------------

    def _admit(self, come: Admission) -> str:
        """Take a seat in; return its id where the memory that it came with could not be restored."""
        bot = Bot(
            id=come.bot_id, name=come.bot_name, bot_name=come.entry_name, author="", origin="",
            source_hash=come.source_hash, created_at=0.0,
        )  # fmt: skip
        entry = Entry(
            season_id=self._start.season_id, bot_id=come.bot_id, bot_name=come.entry_name, status=come.life,
            admitted_at=0.0, admitted_tick=0,
        )  # fmt: skip
        tally = OrderTally(*come.tally)
        score = Score(self._rules.starting_cash, rejected=come.rejected)
        seat = Seat(
            bot, entry, account_from(come.account), score, Life(come.life), orders_from(come.waiting, {}),
            equity=come.equity, unrealized=come.unrealized, program=come.program, started=come.started,
            errors=come.errors, errors_in_a_row=come.errors_in_a_row, last_error=come.last_error,
            good_tick=come.good_tick, rejection=come.rejection, tally=tally, recorded=tally.revision,
            log_allowance=LogAllowance(*come.log_allowance), launched=(come.launched[0], come.launched[1]),
            place=come.place, seed=come.seed,
        )  # fmt: skip
        seat.record.strikes.extend(come.strikes)
        seat.record.restarts, seat.record.restart_at = come.restarts, come.restart_at
        self._seats[seat.id] = seat
        # It has just come, so that its memory is read at this very tick.
        self._to_measure.appendleft(seat.id)
        return "" if come.snapshot is None or self._restore(seat, come.snapshot) else seat.id

    def _restore(self, seat: Seat, snapshot: bytes) -> bool:
        try:
            worker, ask = self._pool.spawn_restored(seat.program, snapshot)
        except SandboxError:
            return False
        (answer,) = gather([ask])
        if answer.payload is None or read_restored(answer.payload):
            worker.close()
            return False
        seat.worker, seat.symbols_told, seat.told = worker, -1, None
        return True

    def _remove(self, bot_id: str) -> None:
        seat = self._seats.pop(bot_id, None)
        self._memory.pop(bot_id, None)
        if seat is not None:
            self._supervisor.end(seat)

    # -- memories -----------------------------------------------------------------------------------------

    def _allow_small_frames(self) -> None:
        """Hold workers to short replies again, once their memories have come."""
        for worker in self._large:
            if worker.waiting_for is None:
                worker.allow_frame(self._pool.limits.frame_bytes)
        self._large = [worker for worker in self._large if worker.alive and worker.waiting_for is not None]

    def _memories(self, bot_ids: Sequence[str]) -> list[Memory]:
        """Return the memories of these bots after the tick; those at work or without a worker have none now."""
        found: list[Memory] = []
        asked = []
        bound = self._pool.limits.snapshot_bytes
        for bot_id in bot_ids:
            seat = self._seats.get(bot_id)
            if seat is None or seat.worker is None or not seat.worker.alive or seat.worker.waiting_for is not None:
                found.append(Memory(bot_id, None, "it was at work"))
                continue
            seat.worker.allow_frame(bound + 1)
            asked.append((seat, self._pool.snapshot_request(seat.worker)))
        deadline = None if self._supervisor.deadline is None else _SAVE_SECONDS
        replies = gather([request for _, request in asked], deadline) if asked else []
        for (seat, request), reply in zip(asked, replies, strict=True):
            self._large.append(request.worker)
            if reply.payload is None:
                found.append(Memory(seat.id, None, "it takes too long to save"))
                continue
            taken = read_snapshot(reply.payload, bound)
            found.append(Memory(seat.id, taken.data, taken.problem))
        return found

    # -- what came of a tick ------------------------------------------------------------------------------

    def _result(self, builder: TickBuilder, tick: HostTick) -> HostResult:
        index = {seat.id: place for place, seat in enumerate(builder.seats)}
        writes, updates = builder.writes, builder.updates.values()
        values = array.array("d", [value for update in updates for value in update.valuation])
        if sys.byteorder != "little":
            values.byteswap()
        changes = [_change(place, update) for place, update in enumerate(updates) if _has_changed(update)]
        conditions = (writes.tick or {}).get("conditions") or {}
        return HostResult(
            tick.n, values.tobytes(), changes,
            [
                OrderMade(
                    phase, index[row["bot_id"]], row["id"], row["time"], row["symbol"], row["side"], row["size"],
                    row["status"], row["reason"],
                )
                for phase, row in _phased(builder, 0, writes.orders)
            ],
            [
                OrderEnd(end["id"], end["status"], end.get("fill_price"), end.get("fill_size"), end.get("reason"))
                for end in writes.order_ends
            ],
            writes.orders_dropped,
            [
                TradeMade(
                    phase, index[row["bot_id"]], row["order_id"], row["symbol"], row["side"], row["size"],
                    row["price"], row["cash_after"], row["position_after"], row["fee"], row["realized_pnl"],
                )
                for phase, row in _phased(builder, 1, writes.trades)
            ],
            [
                (phase, index[row["bot_id"]], row["event"], row["detail"])
                for phase, row in _phased(builder, 2, writes.bot_ticks)
            ],
            [
                (phase, index[row["bot_id"]], row["level"], row["message"])
                for phase, row in _phased(builder, 3, writes.logs)
            ],
            [(phase, index[seat.id], reason) for phase, seat, reason in builder.taints],
            list(conditions.get("barred", {})), [], 0.0, self._measured(),
        )  # fmt: skip

    def _measured(self) -> int:
        """Return the bytes that the workers take, each as it was when its turn was last."""
        if not self._to_measure:
            self._to_measure.extend(self._seats)
        turn = [self._to_measure.popleft() for _ in range(min(_MEASURED, len(self._to_measure)))]
        pids = {
            seat.id: seat.worker.pid for seat in map(self._seats.get, turn)
            if seat is not None and seat.worker is not None
        }  # fmt: skip
        self._memory.update(zip(pids, memories_of(pids.values(), self._pool.zygote_pid), strict=True))
        return sum(self._memory.values())


def _phased(builder: TickBuilder, kind: int, rows: Sequence[Row]) -> list[tuple[int, Row]]:
    """Return rows of one kind, each with the phase that it was made in."""
    found, begin = [], 0
    for phase, ends in enumerate(builder.phases):
        found += [(phase, row) for row in rows[begin : ends[kind]]]
        begin = ends[kind]
    return found


def _has_changed(update: SeatUpdate) -> bool:
    """Say whether more than the value of a seat may have changed; cheap, because most are quiet at most ticks."""
    seat = update.seat
    return bool(
        update.life is not seat.life
        or update.account is not seat.account
        or seat.pending
        or update.pending
        or update.tally is not seat.tally
        or update.log_allowance is not seat.log_allowance
        or update.errors_in_a_row != seat.errors_in_a_row
        or update.errors != seat.errors
        or update.good_tick != seat.good_tick
        or update.started != seat.started
        or update.away != seat.away
        or update.reason is not None
        or seat.record.strikes
        or seat.life is not Life.ACTIVE
        or update.rejected != seat.score.rejected
    )


def _change(place: int, update: SeatUpdate) -> SeatChange:
    seat, tally, allowance = update.seat, update.tally, update.log_allowance
    return SeatChange(
        place, update.life.value, update.started, update.away, seat.worker is not None, update.errors,
        update.errors_in_a_row, update.last_error, update.good_tick, update.rejection, update.rejected,
        None if update.account is seat.account else account_parts(update.account),
        order_parts([*update.waiting, *update.pending]),
        (tally.orders, tally.digest, tally.day, tally.rejected), (allowance.day, allowance.used, allowance.dropped),
        update.reason, list(seat.record.strikes), seat.record.restarts, seat.record.restart_at, seat.launched,
    )  # fmt: skip
