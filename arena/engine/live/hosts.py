"""The hosts of a season: which seats each plays, one message a tick there and one back, and what a loss costs.

The head keeps the account and the orders of every seat as of the last tick, so that a host can be lost at any
moment: its seats are settled here, and their memories are brought back as after a restart (`revival.py`).
"""

from __future__ import annotations

import contextlib
import logging
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from arena.core.ledger import Valuation
from arena.core.orders import MAX_ORDERS_PER_TICK, Fill, OrderStatus, Side
from arena.core.seeds import seed_of
from arena.engine.live.host_messages import (
    Admission,
    HostResult,
    HostTick,
    Memory,
    SeasonStart,
    SeatChange,
    TradeMade,
    account_from,
    account_parts,
    order_parts,
    orders_from,
)
from arena.engine.live.play import PHASES, MarketTick, OwnNumbers, join, play_tick
from arena.engine.live.roster import BOT_NEEDS, Roster
from arena.engine.live.seat_host import HostLostError, SeatHost
from arena.engine.live.snapshots import Snapshots, is_free
from arena.engine.live.supervisor import Supervisor
from arena.engine.live.tick import Numbers, TickBuilder
from arena.engine.seat import RUNNING, Life, LogAllowance, OrderTally, Seat
from arena.engine.state import SeasonState
from arena.errors import NotFoundError
from arena.runtime.reply import MAX_REJECTIONS_PER_TICK
from sandbox.errors import SandboxError
from sandbox.pool import Pool
from sandbox.process.limits import Limits
from sandbox.talk.gather import gather
from sandbox.talk.snapshot import SnapshotReply, read_restored, read_snapshot
from sandbox.talk.verdict import Verdict

log = logging.getLogger("arena.engine")
T = TypeVar("T")

_MOVES = 4  # bots that change their host at one tick: each costs a snapshot and a worker
_STARTS = 16  # bots that a host starts at one tick: each costs a process
_SAVES = 8  # memories of a host that are saved at one tick
_MOVE_SECONDS = 0.25
_PLAYED = RUNNING - {Life.RECOVERING}
_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}
# Hosts whose loads (0 to 1, or seats) differ by less are left alone.
_UNEVEN, _UNEVEN_SEATS = 0.25, 8


@dataclass(eq=False, slots=True)
class Hosted:
    """A host with what the head knows of it.

    `ordered` are its `seats` in the order of admission, None where that has yet to be found out; `asked` are those of
    them that the present tick was sent to.
    """

    host: SeatHost
    name: str
    seats: dict[str, Seat] = field(default_factory=dict)
    coming: dict[str, bytes | None] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    lives: dict[str, Life] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    asked: list[Seat] = field(default_factory=list)
    ordered: list[Seat] | None = None
    giving: list[str] = field(default_factory=list)
    memories: list[Memory] = field(default_factory=list)
    draining: bool = False
    seconds: float = 0.0
    memory: int = 0

    def forget(self, seat: Seat) -> None:
        """Have the seat's worker there ended."""
        if not self.drop(seat):
            return
        if seat.id in self.coming:
            del self.coming[seat.id]
        else:
            self.removed.append(seat.id)

    def drop(self, seat: Seat) -> bool:
        """Take the seat off the list; False where it is not on it."""
        self.ordered = None
        self.lives.pop(seat.id, None)
        return self.seats.pop(seat.id, None) is not None

    def take(self, seat: Seat, snapshot: bytes | None) -> None:
        """Have the seat played there from the next tick on."""
        seat.host, seat.alive_there = self, snapshot is not None
        self.seats[seat.id], self.ordered = seat, None
        self.coming[seat.id] = snapshot

    def load(self, deadline: float | None) -> float:
        """Return how busy it is: the larger share of its memory and of the time for a tick."""
        return max(self.memory / max(self.capacity, 1), self.seconds / deadline if deadline else 0.0)

    @property
    def capacity(self) -> int:
        """Return how many bytes its workers may take."""
        return self.host.capacity

    def in_order(self) -> list[Seat]:
        """Return its seats in the order of admission."""
        if self.ordered is None:
            self.ordered = sorted(self.seats.values(), key=lambda seat: seat.place)
        return self.ordered

    @property
    def has_room(self) -> bool:
        """Say whether another bot may come."""
        needs = self.memory + BOT_NEEDS * (1 + len(self.coming))
        return not self.draining and needs <= self.capacity


class Hosts:
    """All hosts but this process; used by the engine's thread only."""

    def __init__(
        self,
        pool: Pool,
        state: SeasonState,
        roster: Roster,
        supervisor: Supervisor,
        snapshots: Snapshots,
        part_of: Callable[[Sequence[Seat], MarketTick, Numbers], TickBuilder],
        log_bytes: int,
    ) -> None:
        """Begin without a host; `part_of` returns a builder for some of the seats."""
        self._pool = pool
        self._state = state
        self._roster = roster
        self._supervisor = supervisor
        self._snapshots = snapshots
        self._part_of = part_of
        self._log_bytes = log_bytes
        self._hosted: list[Hosted] = []
        self._stay: set[str] = set()
        self._lost: list[Seat] = []

    def __bool__(self) -> bool:
        return bool(self._hosted)

    # -- hosts come and go ----------------------------------------------------------------------------------

    def join(self, host: SeatHost) -> None:
        """Let a host play; one below the season's isolation level takes no bots."""
        level, wanted = host.level, self._state.season.isolation or "none"
        # A before B before none, as it happens.
        if level > wanted:
            host.close(f"its bots would be isolated at level {level}, and this season's are at {wanted}")
            return
        market = self._state.market
        try:
            host.open(SeasonStart(
                self._state.season.id, wanted, self._state.rules.parts, self._log_bytes, market.n, market.time,
                dict(market.prices), dict(market.last_prices), market.symbols, market.version, dict(market.ended),
            ))  # fmt: skip
        except HostLostError as error:
            host.close(str(error))
            return
        self._hosted.append(Hosted(host, host.name))
        log.info("Host '%s' plays from tick %d on", host.name, market.n + 1)

    def drain(self, name: str) -> None:
        """Move a host's bots to others, a few at each tick; NotFoundError where it is not here."""
        found = [hosted for hosted in self._hosted if hosted.name == name]
        if not found:
            raise NotFoundError(f"No host '{name}' has joined: `arena hosts list` names those that have.")
        for hosted in found:
            hosted.draining = True

    def leave(self, host: SeatHost, reason: str) -> None:
        """Take a host as lost between two ticks, where it is still here."""
        for hosted in [each for each in self._hosted if each.host is host]:
            self._give_up(hosted, reason)
            self._lost += self._orphans(hosted)

    def end(self) -> None:
        """Give every host up."""
        for hosted in self._hosted:
            for seat in hosted.seats.values():
                seat.host, seat.alive_there = None, False
            hosted.host.close("the season's clock has stopped")
        self._hosted.clear()

    def rows(self) -> list[dict[str, Any]]:
        """Return each host as the pages show it."""
        return [
            {
                "name": each.name, "level": each.host.level, "bots": len(each.seats), "draining": each.draining,
                "tick_seconds": each.seconds, "memory": each.memory, "capacity": each.capacity,
            }
            for each in list(self._hosted)
        ]  # fmt: skip

    # -- seats come and go ----------------------------------------------------------------------------------

    def has_room(self) -> bool:
        """Say whether a host may take another bot."""
        return any(hosted.has_room for hosted in self._hosted)

    def place(self, seat: Seat) -> bool:
        """Have a bot that comes in played by the least busy host; False where it is to run here."""
        hosted = self._least_busy()
        if hosted is not None:
            hosted.take(seat, None)
        return hosted is not None

    def _least_busy(self) -> Hosted | None:
        ready = [hosted for hosted in self._hosted if hosted.has_room]
        deadline = self._supervisor.deadline
        return min(ready, key=lambda each: (round(each.load(deadline), 1), len(each.seats), each.name), default=None)

    def lost_seats(self) -> list[Seat]:
        """Return, once, the seats whose memories are to be brought back."""
        lost, self._lost = self._lost, []
        return lost

    def _give_up(self, hosted: Hosted, reason: str) -> None:
        words = "Host '%s' is lost after tick %d, with %d bots: %s"
        log.error(words, hosted.name, self._state.market.n, len(hosted.seats), reason)
        self._hosted.remove(hosted)
        hosted.host.close(reason)

    @staticmethod
    def _orphans(hosted: Hosted) -> list[Seat]:
        """Return the seats of a host that is gone; they have no worker any more."""
        orphans = hosted.in_order()
        for seat in orphans:
            seat.host, seat.alive_there = None, False
        hosted.seats, hosted.ordered = {}, None
        return orphans

    # -- one tick -------------------------------------------------------------------------------------------

    def play(self, tick: MarketTick, seats: Sequence[Seat], numbers: Numbers) -> TickBuilder:
        """Have every seat played where it is, and return one builder of what they did."""
        self._move_seats(seats)
        began = time.monotonic()
        asked = [hosted for hosted in list(self._hosted) if self._send(hosted, tick)]
        gone = {seat.id for seat in self._lost}
        sent = {seat.id for hosted in asked for seat in hosted.asked}
        here = [seat for seat in seats if seat.id not in sent and seat.id not in gone]
        local = self._part_of(here, tick, OwnNumbers())
        play_tick(self._supervisor, self._state.market, tick, local)
        parts, heard = [local], []
        for hosted in asked:
            part = self._receive(hosted, tick, began)
            if part is not None:
                parts.append(part)
                heard.append(hosted)
        played = {bot_id for part in parts for bot_id in part.updates}
        orphans = [seat for seat in seats if seat.id not in played]
        if orphans:
            parts.append(self._settled_here(orphans, tick))
        builder = self._part_of([], tick, numbers)
        mapped = join(builder, seats, parts, numbers)
        for hosted, known in zip(heard, mapped[1:], strict=False):
            hosted.numbers = self._still_named(hosted, known, builder)
        return builder

    @staticmethod
    def _still_named(hosted: Hosted, known: dict[int, int], builder: TickBuilder) -> dict[int, int]:
        """Return the host's own numbers of the orders that wait after this tick; older ones it names no more."""
        updates = [builder.updates[seat.id] for seat in hosted.asked]
        busy = [update for update in updates if update.pending or update.waiting]
        waiting = {pending.id for update in busy for pending in (*update.waiting, *update.pending)}
        return {own: number for own, number in {**hosted.numbers, **known}.items() if number in waiting}

    def _send(self, hosted: Hosted, tick: MarketTick) -> bool:
        # Those that have yet to start wait their turn; a memory does not, or its bot would miss this tick.
        begin = [bot_id for bot_id, snapshot in hosted.coming.items() if snapshot is None]
        waiting = set(begin[_STARTS:])
        asked = hosted.in_order()
        hosted.asked = [seat for seat in asked if seat.id not in waiting] if waiting else asked
        lives = [
            (seat.id, seat.life.value) for seat in hosted.asked
            if hosted.lives.get(seat.id) is not seat.life and seat.id not in hosted.coming
        ]  # fmt: skip
        come = [seat for seat in hosted.asked if seat.id in hosted.coming] if hosted.coming else []
        admit = [self._admission(seat, hosted.coming[seat.id]) for seat in come]
        message = HostTick(
            tick.n, tick.time, dict(tick.prices), dict(tick.conditions.barred), dict(tick.conditions.ended),
            self._supervisor.deadline, admit, hosted.removed, lives, self._due(hosted), hosted.giving,
        )  # fmt: skip
        most = most_said(hosted.asked, len(message.save) + len(message.give), self._pool.limits)
        try:
            hosted.host.send(message, most)
        except HostLostError as error:
            self._lose(hosted, str(error))
            return False
        hosted.removed = []
        return True

    def _admission(self, seat: Seat, snapshot: bytes | None) -> Admission:
        tally, allowance, record = seat.tally, seat.log_allowance, seat.record
        return Admission(
            seat.id, seat.bot.name, seat.name, seat.bot.source_hash, seat.place,
            seed_of(self._state.chance, seat.bot.name, seat.bot.source_hash), seat.program, snapshot, seat.life.value,
            account_parts(seat.account), order_parts(seat.pending), seat.equity, seat.unrealized, seat.started,
            seat.errors, seat.errors_in_a_row, seat.last_error, seat.good_tick, seat.rejection, seat.score.rejected,
            (tally.orders, tally.digest, tally.day, tally.rejected), (allowance.day, allowance.used, allowance.dropped),
            list(record.strikes), record.restarts, record.restart_at, seat.launched,
        )  # fmt: skip

    def _receive(self, hosted: Hosted, tick: MarketTick, began: float) -> TickBuilder | None:
        # Made while the host is at work.
        part = self._part_of(hosted.asked, tick, OwnNumbers())
        deadline = self._supervisor.deadline
        left = None
        if deadline is not None:
            patience = deadline + min(0.3 * self._state.season.interval, 1.0)
            left = max(0.0, began + patience - time.monotonic())
        try:
            result = hosted.host.receive(left)
            fill_part(part, result, hosted.numbers, tick)
        except (HostLostError, ValueError) as error:
            self._lose(hosted, str(error))
            return None
        hosted.seconds, hosted.memory, hosted.memories = result.seconds, result.memory, result.memories
        if hosted.coming:
            for seat in hosted.asked:
                hosted.coming.pop(seat.id, None)
        hosted.lives = {bot_id: update.life for bot_id, update in part.updates.items()}
        return part

    def _lose(self, hosted: Hosted, reason: str) -> None:
        self._give_up(hosted, reason)
        self._lost += self._orphans(hosted)

    def _settled_here(self, orphans: Sequence[Seat], tick: MarketTick) -> TickBuilder:
        """Settle the seats of hosts that have just been lost; their bots have not seen this tick."""
        part = self._part_of(orphans, tick, OwnNumbers())
        for seat in orphans:
            if seat.life in RUNNING:
                part.updates[seat.id].life = Life.RECOVERING
                part.event(seat, "skipped", "its host was lost")
        play_tick(self._supervisor, self._state.market, tick, part)
        return part

    def after_tick(self, *, recorded: bool) -> None:
        """Take what else the hosts have said of the last tick: memories, and who has to come back.

        Memories are stored where the tick has been `recorded` already.
        """
        kept = []
        for hosted in self._hosted:
            memories, hosted.memories = {each.bot_id: each for each in hosted.memories}, []
            giving, hosted.giving = hosted.giving, []
            for bot_id, memory in memories.items():
                seat = hosted.seats.get(bot_id)
                if recorded and seat is not None and (memory.data is not None or memory.problem):
                    kept.append((seat, SnapshotReply(memory.data, memory.problem)))
            for bot_id in giving:
                self._take_given(hosted, memories.get(bot_id))
            for seat in [each for each in hosted.seats.values() if each.life is not Life.ACTIVE]:
                self._look_after(hosted, seat)
        self._snapshots.keep(kept)

    def _take_given(self, hosted: Hosted, memory: Memory | None) -> None:
        """Take a bot from the host that has given it up; one that was at work is still there."""
        seat = hosted.seats.get(memory.bot_id) if memory is not None else None
        if memory is None or seat is None or (memory.data is None and not memory.problem):
            return
        hosted.drop(seat)
        seat.host, seat.alive_there = None, False
        if memory.data is None:
            self._bring_back(seat)
        else:
            self._put(seat, memory.data)

    def _put(self, seat: Seat, memory: bytes) -> None:
        """Give a bot with its memory to a host, or to a worker here."""
        hosted = self._least_busy()
        if hosted is not None:
            hosted.take(seat, memory)
            return
        with contextlib.suppress(SandboxError):
            worker, ask = self._pool.spawn_restored(seat.program, memory)
            (answer,) = gather([ask])
            if answer.payload is not None and not read_restored(answer.payload):
                seat.worker, seat.symbols_told, seat.told = worker, -1, None
                return
            worker.close()
        self._bring_back(seat)

    def _bring_back(self, seat: Seat) -> None:
        """Have a bot's memory brought back from the record."""
        if seat.life in RUNNING:
            seat.life = Life.RECOVERING
        self._stay.add(seat.id)
        self._lost.append(seat)

    def _look_after(self, hosted: Hosted, seat: Seat) -> None:
        """Take a seat back that has no place on a host any more: ended, or without its worker for no fault of its."""
        if seat.life in _PLAYED or (seat.life is Life.PAUSED and seat.alive_there):
            return
        hosted.forget(seat)
        seat.host, seat.alive_there = None, False
        if seat.life in {Life.RECOVERING, Life.PAUSED}:
            self._lost.append(seat)

    # -- moves and memories ---------------------------------------------------------------------------------

    def _move_seats(self, seats: Sequence[Seat]) -> None:
        """Give seats that run here to hosts, and choose those that leave a host; a few at each tick."""
        local = [seat for seat in seats if seat.host is None and self._may_move(seat)]
        self._send_off(local[:_MOVES])
        for hosted in self._hosted:
            if hosted.draining:
                self._drain(hosted)
        if not any(hosted.draining for hosted in self._hosted):
            self._even_out()

    def _drain(self, hosted: Hosted) -> None:
        """Have a host give some of its bots up; those without a worker there can simply begin elsewhere."""
        for seat in [each for each in hosted.seats.values() if not each.alive_there]:
            hosted.forget(seat)
            seat.host = None
            self.place(seat)
        hosted.giving = [seat.id for seat in hosted.seats.values() if seat.id not in hosted.coming][:_MOVES]

    def _may_move(self, seat: Seat) -> bool:
        if seat.id in self._stay or seat.away or seat.reviving or not seat.program:
            return False
        return is_free(seat) or (seat.worker is None and seat.life in {Life.STARTING, Life.RESTARTING})

    def _send_off(self, seats: Sequence[Seat]) -> None:
        if not seats or not self.has_room():
            return
        with_memory = [seat for seat in seats if seat.worker is not None]
        bound, asks = self._pool.limits.snapshot_bytes, []
        for seat in with_memory:
            assert seat.worker is not None
            seat.worker.allow_frame(bound + 1)
            asks.append(self._pool.snapshot_request(seat.worker))
        replies = gather(asks, None if self._supervisor.deadline is None else _MOVE_SECONDS) if asks else []
        found: dict[str, bytes] = {}
        for seat, request, reply in zip(with_memory, asks, replies, strict=True):
            taken = read_snapshot(reply.payload, bound) if reply.payload is not None else SnapshotReply(None, "")
            if taken.data is not None:
                found[seat.id] = taken.data
            elif reply.verdict is not Verdict.LATE:
                # It cannot be moved, and stays.
                self._stay.add(seat.id)
            if request.worker.waiting_for is None:
                request.worker.allow_frame(self._pool.limits.frame_bytes)
        for seat in seats:
            if seat.worker is not None and seat.id not in found:
                continue
            hosted = self._least_busy()
            if hosted is None:
                return
            self._supervisor.end(seat)
            hosted.take(seat, found.get(seat.id))

    def _even_out(self) -> None:
        """Have the busiest host give bots to the least busy one where they differ much."""
        if len(self._hosted) < 2 or any(hosted.coming for hosted in self._hosted):
            return
        deadline = self._supervisor.deadline
        low = self._least_busy()
        high = max(self._hosted, key=lambda each: (len(each.seats), each.load(deadline)))
        if low is None or low is high:
            return
        more_seats = len(high.seats) - len(low.seats)
        if more_seats > max(_UNEVEN_SEATS, _UNEVEN * len(high.seats)) and high.load(deadline) >= low.load(deadline):
            high.giving = list(high.seats)[-_MOVES:]

    def _due(self, hosted: Hosted) -> list[str]:
        """Return the bots of a host whose memory is to be saved after this tick."""
        if not self._snapshots.are_kept:
            return []
        ready = [seat for seat in hosted.asked if seat.id not in hosted.coming and seat.id not in hosted.giving]
        free = [seat for seat in ready if seat.alive_there and seat.life is Life.ACTIVE and not seat.away]
        return [seat.id for seat in self._snapshots.due_elsewhere(free, _SAVES)]


# -- a host's answer, which is read as hostile ------------------------------------------------------------------

# Bytes: of an answer beside what bots say, of an order that waits, around a memory, and of any answer. A bot's rows
# may be so many times as long as its own reply.
_BESIDE, _WAITING, _AROUND, _MOST = 1 << 20, 256, 4096, 64 << 20
_AS_ROWS = 3
# Rows of each kind that one seat can cause at a tick: twice what a reply may hold, since a bot may start at it as well.
_ROWS = 2 * (MAX_ORDERS_PER_TICK + MAX_REJECTIONS_PER_TICK)


def most_said(seats: Sequence[Seat], memories: int, limits: Limits) -> int:
    """Return how many bytes a host's answer may take, by the seats and the memories that it was asked for."""
    waiting = sum(len(seat.pending) for seat in seats if seat.pending)
    said = _BESIDE + len(seats) * _AS_ROWS * limits.frame_bytes + waiting * _WAITING
    return min(said + memories * (limits.snapshot_bytes + _AROUND), _MOST)


_ORDER_STATES = frozenset({OrderStatus.PENDING.value, OrderStatus.REJECTED.value, OrderStatus.CANCELLED.value})
_ENDS = frozenset({OrderStatus.FILLED.value, OrderStatus.REJECTED.value, OrderStatus.CANCELLED.value})
_EVENTS = frozenset({"start", "restarted", "recovering", "recovered", "skipped", "late", "killed", "quarantined"})
_VALUE = struct.Struct("<2d")


def fill_part(part: TickBuilder, result: HostResult, numbers: dict[int, int], tick: MarketTick) -> None:
    """Put what a host says of its seats into a builder of these; ValueError where it cannot be so."""
    seats = part.seats
    if result.n != tick.n:
        raise ValueError(f"it answered tick {result.n} to tick {tick.n}")
    if len(result.values) != _VALUE.size * len(seats):
        raise ValueError("it says nothing of some seats")
    waited = [(place, seat) for place, seat in enumerate(seats) if seat.pending]
    known = {**numbers, **{pending.id: pending.id for _, seat in waited for pending in seat.pending}}
    rows = result.orders, result.order_ends, result.dropped, result.trades, result.events, result.logs, result.taints
    most = len(seats) * _ROWS + len(known)
    if len(result.changes) > len(seats) or any(len(kind) > most for kind in rows):
        raise ValueError("it says more than its seats can have done")
    new = {order.number for order in result.orders}
    if len(new) != len(result.orders) or any(number >= 0 for number in new) or new & known.keys():
        raise ValueError("it numbers orders twice")
    known.update((number, number) for number in new)
    numbered = set(known.values())
    for change in result.changes:
        _take_change(part, _at(seats, change.seat), change, known, numbered)
        held = {} if change.account is None else change.account[1]
        for symbol in held:
            _of(tick.last_prices, symbol)
    changed = {change.seat for change in result.changes}
    if any(place not in changed for place, _ in waited):
        raise ValueError("it says nothing of orders that waited")
    _take_rows(part, result, known)
    part.taints = [(_phase(phase), _at(seats, seat), reason) for phase, seat, reason in result.taints]
    # The trades come before the marks, as they do where a seat is settled.
    for update, value in zip(part.updates.values(), _VALUE.iter_unpack(result.values), strict=True):
        update.valuation = Valuation._make(value)
        update.mark()
    barred = {symbol: _of(tick.conditions.barred, symbol) for symbol in result.barred}
    said = {"barred": barred, "ended": dict(tick.conditions.ended)} if tick.conditions else {}
    part.writes.tick = {
        "season_id": part.season_id, "n": tick.n, "time": tick.time, "prices": dict(tick.prices),
        "conditions": {name: value for name, value in said.items() if value} or None,
    }  # fmt: skip
    # What concerns its process has happened, whatever becomes of the tick.
    for change in result.changes:
        seat = seats[change.seat]
        seat.alive_there, seat.launched = change.alive, change.launched
        seat.record.restarts, seat.record.restart_at = change.restarts, change.restart_at
        seat.record.strikes.clear()
        seat.record.strikes.extend(change.strikes)


def _take_rows(part: TickBuilder, result: HostResult, known: dict[int, int]) -> None:
    seats, writes = part.seats, part.writes
    for phase in range(PHASES):
        for order in (each for each in result.orders if each.phase == phase):
            part.add_order(
                _at(seats, order.seat), order.number, order.time, symbol=order.symbol, side=order.side,
                size=order.size, status=OrderStatus(_one_of(_ORDER_STATES, order.status)), reason=order.reason,
            )  # fmt: skip
        for trade in (each for each in result.trades if each.phase == phase):
            seat = _at(seats, trade.seat)
            number = None if trade.number is None else _of(known, trade.number)
            part.add_trade(part.updates[seat.id], number, _fill(trade))
        for _, place, event, detail in (each for each in result.events if each[0] == phase):
            part.event(_at(seats, place), _one_of(_EVENTS, event), detail)
        for _, place, level, line in (each for each in result.logs if each[0] == phase):
            part.say(_at(seats, place), _one_of(_LEVELS, level), line)
        part.end_phase()
    said = (len(result.orders), len(result.trades), len(result.events), len(result.logs))
    if part.phases[-1] != said:
        raise ValueError("it names a phase that a tick does not have")
    for end in result.order_ends:
        row: dict[str, Any] = {"id": _of(known, end.number), "status": _one_of(_ENDS, end.status)}
        if end.status == OrderStatus.FILLED.value:
            row |= {"fill_time": part.time, "fill_price": end.price, "fill_size": end.size}
        elif end.status == OrderStatus.REJECTED.value:
            row["reason"] = end.reason
        writes.order_ends.append(row)
    writes.orders_dropped += [_of(known, number) for number in result.dropped]


def _take_change(part: TickBuilder, seat: Seat, change: SeatChange, known: dict[int, int], numbered: set[int]) -> None:
    update = part.updates[seat.id]
    update.life, update.reason = Life(change.life), change.reason
    update.started, update.away = change.started, change.away
    update.errors, update.errors_in_a_row, update.last_error = change.errors, change.errors_in_a_row, change.last_error
    update.good_tick, update.rejection = change.good_tick, change.rejection
    if change.rejected != seat.score.rejected:
        update.score.rejected = change.rejected
    if change.account is not None:
        update.account = account_from(change.account)
    waiting = orders_from(change.pending, known)
    if any(pending.id not in numbered for pending in waiting):
        raise ValueError("an order that nobody has made waits")
    due = [part.n, *(pending.due for pending in waiting), part.n + part.delay_ticks]
    if due != sorted(due) or due[0] in due[1:]:
        raise ValueError("an order waits for a tick that it cannot settle at")
    update.waiting, update.pending = [], waiting
    if change.tally != (seat.tally.orders, seat.tally.digest, seat.tally.day, seat.tally.rejected):
        update.tally = OrderTally(*change.tally)
    update.log_allowance = LogAllowance(*change.log_allowance)
    if update.reason is not None:
        part.writes.entries.append({
            "season_id": part.season_id, "bot_id": seat.id, "status": update.life.value, "reason": update.reason,
        })  # fmt: skip


def _fill(trade: TradeMade) -> Fill:
    return Fill(
        trade.symbol, Side(trade.side), trade.size, trade.price, trade.fee, trade.realized, trade.cash_after,
        trade.position_after,
    )  # fmt: skip


def _at(seats: Sequence[Seat], place: int) -> Seat:
    if not 0 <= place < len(seats):
        raise ValueError("it speaks of a seat that it does not have")
    return seats[place]


def _phase(phase: int) -> int:
    if not 0 <= phase < PHASES:
        raise ValueError("it names a phase that a tick does not have")
    return phase


def _of(known: Any, key: Any) -> Any:
    if key not in known:
        raise ValueError(f"it names {key!r}, which nobody has told it")
    return known[key]


def _one_of(known: Any, word: str) -> str:
    if word not in known:
        raise ValueError(f"it says {word[:40]!r}, which is no word for it")
    return word
