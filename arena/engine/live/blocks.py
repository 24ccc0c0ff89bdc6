"""Plays one bot after the other through a block of recorded ticks, before the engine comes to them.

What a bot does depends on no other bot. So in a recording that nobody waits for each bot answers a block of ticks in
one go, over the page that its worker shares with us, and no process is woken for each tick. A worker never holds a
tick before it has answered the one before. What its orders do to its account is computed here as the engine will
compute it; the engine takes each answer at its tick, in the order of seats, so that the record is the same as without
blocks.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from arena.core.exchange import USUAL, Rules, settle
from arena.core.ledger import Account, worth
from arena.core.orders import Order
from arena.engine.live.tick_payload import TickPayload
from arena.engine.seat import Life, Seat
from arena.runtime.wire import quiet_reply, read_reply
from sandbox.talk.page_channel import PageChannel
from sandbox.talk.request import REPLY_AS_EXPECTED, WorkerReply, WorkerRequest
from sandbox.talk.worker import Worker

# Ticks of a block at most, and seconds that one may take. A block is not cut short where its bots begin to compute for
# long in it, and commands wait for its end.
_LONGEST, _BLOCK_SECONDS = 64, 0.1
# Seconds for which a way of asking is kept, and for which the other one is tried then.
_KEPT, _TRIED = 2.0, 0.1
# Who is not asked; paused bots are, once they are resumed.
_AT_REST = frozenset({Life.PAUSED, Life.QUARANTINED, Life.RETIRED, Life.REFUSED})


class BlockTick(NamedTuple):
    """A tick without conditions, as all workers are shown it, with its prices and time."""

    time: float
    prices: Mapping[str, float]
    payload: TickPayload


class BlockLengths:
    """Says how many ticks the next block has; 1 asks all bots at once, which is quicker where others use the CPUs.

    Both ways are tried from time to time and the quicker one is kept: the record does not depend on it.
    """

    def __init__(self) -> None:
        self._longest = 1
        self._last = 0.0
        self._by_blocks = self._trying = True
        self._began: tuple[int, float] | None = None
        self._rates = {True: 0.0, False: 0.0}

    def next(self, n: int, now: float) -> int:
        """Return how many ticks there are from tick n on; `now` is the monotonic clock's."""
        if self._began is None:
            self._began = n, now
        first, began = self._began
        if now - began >= (_TRIED if self._trying else _KEPT):
            self._rates[self._by_blocks] = (n - first) / (now - began)
            # What has been tried is left again where it was no quicker; what was kept is held against the other way.
            quicker = self._rates[self._by_blocks] > self._rates[not self._by_blocks]
            if not (self._trying and quicker):
                self._by_blocks = not self._by_blocks
            self._trying = not self._trying
            self._began = n, now
        if not self._by_blocks:
            return 1
        quick = now - self._last < _BLOCK_SECONDS
        self._longest = min(2 * self._longest, _LONGEST) if quick else max(self._longest // 2, 2)
        self._last = now
        return self._longest


@dataclass(slots=True)
class _Answered:
    """What a worker has answered already: all ticks before `until`, with `replies` where it did anything.

    `settled` are the ticks at which orders of its were due. From `plain_until` on there is more to its replies than
    what a bot has done.
    """

    worker: Worker
    until: int
    plain_until: int
    replies: dict[int, WorkerReply] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)


class Block:
    """Ticks that bots may answer before the engine comes to them; used by the engine's thread only."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._first = 0
        self._ticks: Sequence[BlockTick] = ()
        self._answered: dict[str, _Answered] = {}
        self._channels: dict[str, PageChannel] = {}

    @property
    def end(self) -> int:
        """Return the tick after the last of the block."""
        return self._first + len(self._ticks)

    def begin(self, first: int, ticks: Sequence[BlockTick]) -> None:
        """Begin a block with the ticks from `first` on."""
        self._first, self._ticks = first, ticks
        self._answered.clear()

    def answer(self, seat: Seat, n: int) -> WorkerReply | None:
        """Return what a seat's worker has answered to tick n, None where it has not been asked."""
        answered = self._answered.get(seat.id)
        if answered is None or answered.worker is not seat.worker or n >= answered.until:
            return None
        return answered.replies.get(n, REPLY_AS_EXPECTED)

    def holds(self, n: int) -> bool:
        """Say whether a worker may be asked for more than tick n at once."""
        return self._first <= n < self.end - 1

    def play(
        self,
        seat: Seat,
        request: WorkerRequest,
        n: int,
        account: Account,
        waiting: Sequence[tuple[int, Order]],
        deadline: float,
    ) -> WorkerReply:
        """Have a bot answer tick n by a request, and on to the end of the block, or `deadline` of the monotonic clock.

        `account` is as of tick n, settled, and `waiting` are its orders with the ticks that they are due at. Returns
        the reply to tick n. A reply that is more than what a bot has done comes last.
        """
        first, replies, settled = n, dict[int, WorkerReply](), set[int]()
        channel, pending = self._channel(seat, request.worker), list(waiting)
        # Whether the worker knows this very account, and whether it has just answered that it did nothing.
        known, plain = True, True
        try:
            reply: WorkerReply | None = channel.begin(request)
            while True:
                idle = reply is REPLY_AS_EXPECTED
                if reply is not None:
                    if not idle:
                        replies[n] = reply
                        orders = _orders_of(reply)
                        if orders is None:
                            plain = False
                            n += 1
                            break
                        known = not orders
                        pending += [(n + self._rules.delay_ticks, order) for order in orders]
                    n += 1
                if n >= self.end or time.monotonic() >= deadline:
                    break
                if pending and pending[0][0] <= n:
                    settled.add(n)
                    before, (account, pending) = account, self._settle(seat, account, pending, n)
                    known = known and account is before
                idle = idle and known
                if not idle:
                    payload = self._ticks[n - self._first].payload
                    request.payload = payload.alone if known else payload.packed(account, with_symbols=False)
                    request.expected_reply, known = quiet_reply(account), True
                    reply = channel.ask(request)
                else:
                    end = min(pending[0][0], self.end) if pending else self.end
                    passed, reply = channel.repeat(request, self._alone(n, end, deadline))
                    n += passed
        finally:
            channel.stop_polling()
        self._answered[seat.id] = _Answered(request.worker, n, n if plain else n - 1, replies, settled)
        return replies.get(first, REPLY_AS_EXPECTED)

    def _channel(self, seat: Seat, worker: Worker) -> PageChannel:
        channel = self._channels.get(seat.id)
        if channel is None or channel.worker is not worker:
            assert worker.page is not None
            channel = self._channels[seat.id] = PageChannel(worker, worker.page)
        return channel

    def _alone(self, first: int, end: int, deadline: float) -> Iterator[bytes]:
        monotonic = time.monotonic
        for tick in self._ticks[first - self._first : end - self._first]:
            if monotonic() >= deadline:
                return
            yield tick.payload.alone

    def _settle(
        self, seat: Seat, account: Account, pending: list[tuple[int, Order]], n: int
    ) -> tuple[Account, list[tuple[int, Order]]]:
        """Return the account after tick n, and the orders that wait on."""
        count, tick = bisect_right(pending, n, key=_due), self._ticks[n - self._first]
        due = [order for _, order in pending[:count]]
        after, _ = settle(seat.name, account, due, tick.prices, self._rules, USUAL.barred, tick.time)
        return after, pending[count:]

    def forget(self, seat: Seat) -> None:
        """Ask a worker no more: it ends."""
        self._answered.pop(seat.id, None)
        self._channels.pop(seat.id, None)

    def busy_seats(self, seats: Sequence[Seat], n: int) -> list[Seat] | None:
        """Return the seats to which tick n does more than mark their accounts.

        None where all seats must be looked at: at a tick outside the block, and where a bot is not simply playing.
        """
        if not self._first <= n < self.end:
            return None
        busy = []
        for seat in seats:
            answered = self._answered.get(seat.id)
            if seat.away or not seat.score.ticks:
                return None
            if seat.life is Life.ACTIVE:
                if answered is None or answered.worker is not seat.worker or not n < answered.plain_until:
                    return None
                # A bot whose last tick was an error has to be written again after a good one.
                if n in answered.replies or n in answered.settled or seat.last_error or not seat.good_tick:
                    busy.append(seat)
            elif seat.life in _AT_REST:
                if seat.pending:
                    busy.append(seat)
            else:
                return None
        return busy


def mark_idle(seats: Sequence[Seat], busy: Sequence[Seat], last_prices: Mapping[str, float]) -> None:
    """Take a tick that does nothing else to the seats that are not `busy`: value their accounts."""
    others = {seat.id for seat in busy}
    for seat in seats:
        if seat.id not in others:
            positions = seat.account.positions
            seat.equity, seat.unrealized = worth(seat.account.cash, positions, last_prices)
            seat.score.mark(seat.equity, exposed=bool(positions))


def _due(waiting: tuple[int, Order]) -> int:
    return waiting[0]


def _orders_of(reply: WorkerReply) -> list[Order] | None:
    """Return what a bot has ordered by a reply to one tick, None where there is more to the reply than its deeds."""
    if reply.payload is None:
        return None
    try:
        read = read_reply(reply.payload, 1)
    except ValueError:
        return None
    deeds = read.deeds.get(0)
    if read.done != 1 or (deeds is not None and any(error.memory for error in deeds.errors)):
        return None
    return [] if deeds is None else [request for request in deeds.requests if isinstance(request, Order)]
