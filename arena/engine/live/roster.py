"""All bots of the season: admitted, paused, resumed, retired."""

from __future__ import annotations

import sys
import threading
from typing import Protocol

from sqlalchemy import Engine as Database
from sqlalchemy import update

from arena.core.orders import OrderStatus
from arena.engine.live.memory_budget import memory_of
from arena.engine.live.supervisor import Supervisor
from arena.engine.seat import RUNNING, Life, Seat, new_seat
from arena.engine.state import SeasonState
from arena.errors import ConflictError, NotFoundError
from arena.store.bulk import insert_rows, table_of
from arena.store.models import BotTick, Entry, OrderRow
from arena.store.seasons import Enrolled, NewBot, ReceiptWriter, enrol

BOT_NEEDS = 8 << 20  # bytes that a bot which has just come in may take before it is measured


class OtherHosts(Protocol):
    """The other machines that may run bots."""

    def has_room(self) -> bool:
        """Say whether one may take another bot."""

    def place(self, seat: Seat) -> bool:
        """Have one play a seat; False where it is to run here."""


class Roster:
    """The seats by bot id; changed on the engine's thread, read from any."""

    def __init__(
        self,
        database: Database,
        state: SeasonState,
        supervisor: Supervisor,
        memory: int = sys.maxsize,
        receipt: ReceiptWriter | None = None,
    ) -> None:
        """Make an empty roster.

        `memory` is how many bytes all workers together may take; each bot that comes in is given a `receipt`.
        """
        self._receipt = receipt
        self._database = database
        self._memory = memory
        self._state = state
        self._supervisor = supervisor
        self._lock = threading.Lock()
        self._seats: dict[str, Seat] = {}
        self.revision = 0
        self.hosts: OtherHosts | None = None

    def seats(self) -> list[Seat]:
        """Return all seats, in the order of admission."""
        with self._lock:
            return list(self._seats.values())

    def put(self, seat: Seat) -> None:
        """Add a seat."""
        with self._lock:
            seat.place = len(self._seats)
            self._seats[seat.id] = seat
        self.changed()

    def changed(self) -> None:
        """Count a change of the stored bots, so that caches are refreshed; callable from any thread."""
        with self._lock:
            self.revision += 1

    def get(self, bot_id: str) -> Seat:
        """Return a seat; NotFoundError if there is none."""
        with self._lock:
            seat = self._seats.get(bot_id)
        if seat is None:
            raise NotFoundError(f"There is no bot {bot_id} in this season.")
        return seat

    def running(self) -> int:
        """Return how many bots are neither retired nor quarantined."""
        return sum(seat.life not in {Life.RETIRED, Life.QUARANTINED} for seat in self.seats())

    # -- on the engine's thread ---------------------------------------------------------------------------

    def admit(self, new: NewBot, program: bytes, most: int = sys.maxsize, most_of_owner: int = 0) -> Enrolled:
        """Let a checked and tried program take part from the next tick on; retire what it replaces.

        With `most` bots running already there is no room: ConflictError, as where its name is another's, or where its
        owner has `most_of_owner` already; 0 is any number.
        """
        season = self._state.season
        problem = self._state.entry_problem()
        if problem is not None:
            raise ConflictError(problem)
        elsewhere = self.hosts is not None and self.hosts.has_room()
        if not elsewhere:
            self._check_memory()
        tick, room = self._state.market.n + 1, most - self.running()
        enrolled = enrol(
            self._database, season.id, new, tick=tick, room=room, receipt=self._receipt, most_of_owner=most_of_owner
        )
        if enrolled.entry is not None:
            seat = new_seat(enrolled.bot, enrolled.entry, season.starting_cash)
            seat.program = program
            self.put(seat)
            if self.hosts is None or not self.hosts.place(seat):
                self._supervisor.launch(seat)
            if enrolled.replaces is not None and enrolled.replaces in self._seats:
                self.retire(enrolled.replaces)
        return enrolled

    def _check_memory(self) -> None:
        """Raise ConflictError where the running bots have used up the memory for all bots."""
        workers = [seat.worker.pid for seat in self.seats() if seat.worker is not None]
        used = memory_of(workers, self._supervisor.zygote_pid)
        if used + BOT_NEEDS > self._memory:
            raise ConflictError(
                f"The memory for bots is used up ({used >> 20:,} of {self._memory >> 20:,} MiB, BOTS_MEMORY_MB): "
                "retire a bot first, or raise the setting."
            )

    def pause(self, bot_id: str, reason: str = "") -> Seat:
        """Ask a bot no more until it is resumed; its positions are marked and its waiting orders settle."""
        seat = self.get(bot_id)
        if seat.life is Life.PAUSED:
            return seat
        if seat.life not in {Life.ACTIVE, Life.STARTING, Life.RESTARTING, Life.RECOVERING}:
            raise ConflictError(f"Bot '{seat.name}' is {seat.status} and cannot be paused.")
        if not seat.started and seat.life is not Life.RECOVERING:
            raise ConflictError(f"Bot '{seat.name}' is still starting; try again in a moment.")
        seat.entry.reason = reason
        seat.life = Life.PAUSED
        self._store(seat, "paused")
        return seat

    def resume(self, bot_id: str) -> Seat:
        """Ask a paused bot again from the next tick on."""
        seat = self.get(bot_id)
        if seat.life in RUNNING:
            return seat
        if seat.life is not Life.PAUSED:
            raise ConflictError(f"Bot '{seat.name}' is {seat.status} and cannot be resumed.")
        seat.entry.reason = ""
        there = Life.ACTIVE if seat.has_worker else Life.RESTARTING
        seat.life = Life.RECOVERING if seat.reviving else there
        self._store(seat, "resumed")
        return seat

    def retire(self, bot_id: str) -> Seat:
        """Retire a bot for good: its record stays, its waiting orders are cancelled."""
        seat = self.get(bot_id)
        if seat.life is not Life.RETIRED:
            self._supervisor.end(seat)
            seat.life = Life.RETIRED
            self._cancel(seat)
            self._store(seat, "retired")
        return seat

    def _store(self, seat: Seat, event: str) -> None:
        season, market = self._state.season, self._state.market
        seat.entry.status = seat.stored_status
        table = table_of(Entry)
        with self._database.begin() as connection:
            connection.execute(
                update(table)
                .where(table.c.season_id == season.id, table.c.bot_id == seat.id)
                .values(status=seat.stored_status, reason=seat.entry.reason)
            )
            insert_rows(connection, BotTick, [{
                "season_id": season.id, "tick": market.n + 1, "bot_id": seat.id, "event": event,
                "detail": "",
            }])  # fmt: skip
        self.changed()

    def _cancel(self, seat: Seat) -> None:
        self._end_orders([waiting.id for waiting in seat.pending], OrderStatus.CANCELLED)
        seat.pending = []

    def _end_orders(self, numbers: list[int], status: OrderStatus) -> None:
        table = table_of(OrderRow)
        with self._database.begin() as connection:
            for number in numbers:
                statement = update(table).where(table.c.id == number)
                connection.execute(statement.values(status=status.value))

    def expire_pending(self) -> None:
        """Expire the orders that still wait at the end of a season."""
        for seat in self.seats():
            self._end_orders([waiting.id for waiting in seat.pending], OrderStatus.EXPIRED)
            seat.pending = []

    def end_all(self) -> None:
        """End every worker."""
        for seat in self.seats():
            self._supervisor.end(seat)
