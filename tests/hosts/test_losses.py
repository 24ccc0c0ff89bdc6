"""Hosts come, go and break off while a season runs: nothing is lost or doubled, and the other bots miss nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from arena.engine.live.host_messages import HostResult, HostTick, SeasonStart
from arena.engine.live.seat_host import SeatHost
from arena.engine.replay.proof import REPRODUCED, verify
from arena.engine.seat import Life, Seat
from arena.errors import NotFoundError
from arena.hosts.agent import HostAgent
from arena.hosts.here import HostHere
from arena.hosts.wire import decode, encode
from arena.store.bundle import StoredRecord
from sandbox.pool import Pool
from sandbox.talk.worker import Worker
from tests.arenas import bot_source, until
from tests.engine.conftest import Hand, Steady
from tests.hosts.conftest import ROOM, Agents, Begin, Machines, patient
from tests.hosts.seasons import BOTS, COUNTER, market, record

COUNTERS = tuple(bot_source(COUNTER, name=f"Counter {place}", top=f"n = {place}") for place in range(4))


def calls(hand: Hand, seat: Seat) -> list[int]:
    """Return at which ticks a bot was called; each call of a counter writes one line."""
    with hand.database.connect() as connection:
        rows = connection.execute(
            text("SELECT tick FROM logs WHERE bot_id = :bot AND message LIKE 'call %' ORDER BY id"), {"bot": seat.id}
        )
        return [tick for (tick,) in rows]


def prove(hand: Hand, seats: Sequence[Seat]) -> None:
    """Every bot's record follows from its source and the recorded ticks."""
    hand.engine.stop()
    for seat in seats:
        proof = verify(hand.pool, StoredRecord(hand.database, hand.season_id, seat.id))
        assert proof.status == REPRODUCED, (seat.name, proof.sentence)


class Faulty(HostHere):
    """A host that breaks off, or says what it may not, when it is told to."""

    def __init__(self, name: str, pool: Pool) -> None:
        super().__init__(name, pool, ROOM)
        self.change: Any = None

    def worker(self, seat: Seat) -> Worker:
        """Return the worker of a seat here."""
        assert self._seats is not None
        worker = self._seats._seats[seat.id].worker
        assert worker is not None
        return worker

    def receive(self, seconds: float | None) -> HostResult:
        result = super().receive(seconds)
        return result if self.change is None else self.change(result)


def test_a_lost_host_costs_only_its_own_bots_the_ticks_until_they_are_back(begin: Begin, machines: Machines) -> None:
    hosts = machines.join(2)
    hand = begin(Steady(), hosts)
    seats = [hand.admit(source) for source in COUNTERS]
    hand.tick(6)
    theirs = [seat for seat in seats if seat.host is not None and seat.host.name == hosts[0].name]
    others = [seat for seat in seats if seat not in theirs]
    assert len(theirs) == len(others) == 2
    hosts[0].close("its cable was pulled")
    hand.tick()
    assert [seat.life for seat in theirs] == [Life.RECOVERING] * 2
    assert all(seat.host is None for seat in theirs)
    hand.tick()
    hand.engine.wait_for_bots()
    hand.tick(6)
    assert [seat.life for seat in seats] == [Life.ACTIVE] * 4
    assert {seat.host.name for seat in seats if seat.host is not None} == {hosts[1].name}
    assert all(calls(hand, seat) == list(range(14)) for seat in others)
    for seat in theirs:
        assert (6, "skipped") in hand.events(seat)
        assert calls(hand, seat)[-5:] == list(range(9, 14))
    prove(hand, seats)


@pytest.mark.system
def test_a_host_that_is_drained_gives_its_bots_away_and_no_bot_notices(begin: Begin, machines: Machines) -> None:
    alone = begin(market())
    for source in BOTS:
        alone.admit(source)
    alone.tick(24)
    hosts = machines.join(2)
    hand = begin(market(), hosts)
    seats = [hand.admit(source) for source in BOTS]
    hand.tick(3)
    hand.engine.hosts.drain(hosts[0].name)
    hand.tick(21)
    rows = {row["name"]: row for row in hand.engine.hosts.rows()}
    assert rows[hosts[0].name]["bots"] == 0
    assert rows[hosts[0].name]["draining"]
    assert rows[hosts[1].name]["bots"] == sum(seat.life is Life.ACTIVE for seat in seats)
    assert record(hand) == record(alone)


@pytest.mark.system
def test_a_host_that_joins_while_the_season_runs_takes_bots_over(begin: Begin, machines: Machines) -> None:
    alone = begin(market())
    for source in BOTS:
        alone.admit(source)
    alone.tick(24)
    hand = begin(market())
    seats = [hand.admit(source) for source in BOTS]
    hand.tick(4)
    (host,) = machines.join(1)
    hand.engine.hosts.join(host)
    hand.tick(20)
    playing = [seat for seat in seats if seat.life is Life.ACTIVE]
    assert all(seat.host is not None and seat.worker is None for seat in playing)
    assert record(hand) == record(alone)


def test_the_last_host_that_is_drained_gives_its_bots_back_to_the_server(begin: Begin, machines: Machines) -> None:
    (host,) = machines.join(1)
    hand = begin(Steady(), [host])
    seat = hand.admit(COUNTERS[0])
    hand.tick(4)
    hand.engine.hosts.drain(host.name)
    hand.tick(4)
    assert seat.host is None
    assert seat.worker is not None
    assert calls(hand, seat) == list(range(8))
    with pytest.raises(NotFoundError, match="No host 'nobody' has joined"):
        hand.engine.hosts.drain("nobody")
    prove(hand, [seat])


def test_a_bot_is_paused_resumed_and_retired_where_it_is(begin: Begin, machines: Machines) -> None:
    hand = begin(Steady(), machines.join(2))
    seats = [hand.admit(source) for source in COUNTERS[:2]]
    hand.tick(3)
    hand.engine.roster.pause(seats[0].id)
    hand.tick(2)
    hand.engine.roster.resume(seats[0].id)
    hand.tick(2)
    hand.engine.roster.retire(seats[1].id)
    hand.tick(2)
    assert calls(hand, seats[0]) == [0, 1, 2, 5, 6, 7, 8]
    assert calls(hand, seats[1]) == list(range(7))
    assert sum(row["bots"] for row in hand.engine.hosts.rows()) == 1
    prove(hand, seats)


def test_the_source_of_a_bot_that_crashes_natively_is_quarantined_on_every_host(
    begin: Begin, host_pools: list[Pool]
) -> None:
    hosts = [Faulty(f"host-{place}", pool) for place, pool in enumerate(host_pools[:2])]
    hand = begin(Steady(), hosts)
    source = bot_source("pass")
    first, second = (hand.admit(source, origin="generated") for _ in range(2))
    other = hand.admit(COUNTERS[0])
    hand.tick()
    assert first.host is not second.host
    os.kill(hosts[0].worker(first).pid, signal.SIGSEGV)
    hand.tick()
    assert first.status == second.status == "quarantined"
    assert other.status == "active"
    hand.tick()
    assert sum(row["bots"] for row in hand.engine.hosts.rows()) == 1
    assert {event for _, event in hand.events(second)} == {"start", "quarantined"}


def test_a_bot_that_dies_on_its_host_is_started_there_again(begin: Begin, host_pools: list[Pool]) -> None:
    host = Faulty("host", host_pools[0])
    hand = begin(Steady(), [host])
    seat = hand.admit(COUNTERS[0])
    hand.tick(2)
    os.kill(host.worker(seat).pid, signal.SIGKILL)
    hand.tick()
    assert seat.life is Life.RESTARTING
    assert seat.host is not None
    hand.tick(3)
    assert seat.life is Life.ACTIVE
    assert [event for _, event in hand.events(seat)] == ["start", "killed", "restarted"]
    prove(hand, [seat])


@pytest.mark.system
def test_a_host_whose_own_zygote_dies_gives_its_bots_back_and_goes_on(
    begin: Begin, agents: Agents, tmp_path: Path
) -> None:
    del tmp_path
    died: list[HostAgent] = []
    pool = patient(46_000, lambda: [agent.zygote_died() for agent in died])
    pool.start()
    try:
        died.append(agents.begin("fragile", pool))
        hand = begin(Steady(), [agents.link("fragile")])
        seat = hand.admit(COUNTERS[0])
        hand.tick(3)
        assert pool.zygote_pid is not None
        os.kill(pool.zygote_pid, signal.SIGKILL)
        until(died[0].zygote_has_died, "the host to learn of it")
        hand.tick()
        assert seat.life is Life.RECOVERING
        hand.tick()
        hand.engine.wait_for_bots()
        hand.tick(6)
        assert seat.life is Life.ACTIVE
        assert seat.host is not None
        assert seat.host.name == "fragile"
        prove(hand, [seat])
    finally:
        agents.close()
        pool.stop()


def test_memories_are_saved_on_the_host_and_bring_a_bot_back(begin: Begin, machines: Machines) -> None:
    (host,) = machines.join(1)
    hand = begin(Steady(), minutes=1e-6)
    hand.engine.hosts.join(host)
    seat = hand.admit(COUNTERS[0])
    hand.tick(6)
    ticks = [tick for (tick,) in hand.rows("SELECT tick FROM snapshots WHERE season_id = :season ORDER BY tick")]
    assert ticks == [4, 5]
    host.close("it has burnt")
    hand.tick(2)
    hand.engine.wait_for_bots()
    hand.tick(3)
    assert calls(hand, seat)[-3:] == [8, 9, 10]
    prove(hand, [seat])


def spoken(result: HostResult, **said: Any) -> HostResult:
    """Return a result in which each change says this, as it is read from the wire."""
    changed = result._replace(changes=[change._replace(**said) for change in result.changes])
    return decode(encode(changed), HostResult)


FALSE = {
    "another tick": lambda result: result._replace(n=result.n + 1),
    "too few seats": lambda result: result._replace(values=result.values[16:]),
    "a seat of nobody": lambda result: result._replace(events=[(0, 99, "skipped", "")]),
    "a word of its own": lambda result: result._replace(events=[(0, 0, "promoted", "")]),
    "a phase of its own": lambda result: result._replace(logs=[(7, 0, "INFO", "hello")]),
    "an end of another's order": lambda result: result._replace(dropped=[1]),
    "an order twice": lambda result: result._replace(orders=result.orders + result.orders),
    "silence on what waited": lambda result: result._replace(changes=[]),
    "a holding that no market has": lambda result: result._replace(
        changes=[change._replace(account=(1.0, {"DOGE": (1.0, 1.0)}, 0.0, 0.0, -1, 0)) for change in result.changes]
    ),
    "a number that no column holds": lambda result: spoken(result, errors=2**31),
    "a text that no database takes": lambda result: spoken(result, last_error="a\x00b"),
    "a seat twice": lambda result: result._replace(changes=result.changes * 2),
    "more than its bots can have done": lambda result: result._replace(events=[(0, 0, "skipped", "")] * 3000),
    "a life of its own": lambda result: result._replace(
        changes=[change._replace(life="immortal") for change in result.changes]
    ),
}


@pytest.mark.parametrize("said", FALSE)
def test_a_host_that_says_what_it_may_not_is_given_up_and_the_clock_goes_on(
    begin: Begin, host_pools: list[Pool], said: str
) -> None:
    liar = Faulty("liar", host_pools[0])
    honest = HostHere("honest", host_pools[1], ROOM)
    hand = begin(Steady(), [liar, honest])
    seats = [hand.admit(source) for source in COUNTERS[:2]]
    hand.tick(3)
    liar.change = FALSE[said]
    hand.tick()
    assert [row["name"] for row in hand.engine.hosts.rows()] == ["honest"]
    liars = [seat for seat in seats if seat.host is None]
    assert [seat.life for seat in liars] == [Life.RECOVERING]
    hand.tick()
    hand.engine.wait_for_bots()
    hand.tick(2)
    prove(hand, seats)


@pytest.mark.system
def test_a_bot_that_says_all_it_may_is_not_its_hosts_loss(begin: Begin, host_pools: list[Pool]) -> None:
    loud = bot_source(
        'for n in range(1200): ctx.submit_order("BTCUSDT", "up", 1.0)\n'
        'for n in range(200): ctx.log("\N{BLACK CHESS KING}" * 10 + str(n))',
        name="Loud",
    )  # fmt: skip
    alone = begin(Steady(), delay=2)
    hand = begin(Steady(), [HostHere("host", host_pools[0], ROOM)], delay=2)
    for each in (alone, hand):
        each.admit(loud)
        each.tick(3)
    assert record(hand) == record(alone)
    assert [row["bots"] for row in hand.engine.hosts.rows()] == [1]
    assert len(record(hand)["orders"]) == 1000


class Weak(HostHere):
    """A host that has proved less than the season asks for."""

    def open(self, season: SeasonStart) -> None:
        raise AssertionError(season)

    def send(self, tick: HostTick, most: int) -> None:
        raise AssertionError(tick, most)


def test_a_host_below_the_level_of_the_season_takes_no_bots(begin: Begin, host_pools: list[Pool]) -> None:
    hand = begin(Steady())
    hand.engine.season.isolation = "A"
    weak: SeatHost = Weak("weak", host_pools[0], ROOM)
    weak.level = "B"
    hand.engine.hosts.join(weak)
    assert not hand.engine.hosts
    seat = hand.admit(COUNTERS[0])
    hand.tick(2)
    assert seat.worker is not None


def test_many_bots_at_once_are_started_a_few_at_each_tick(begin: Begin, host_pools: list[Pool]) -> None:
    host = Faulty("host", host_pools[0])
    hand = begin(Steady(), [host])
    seats = [hand.admit(bot_source("ctx.log('call 1')", name=f"Many {n}")) for n in range(20)]
    hand.tick()
    assert sum(seat.started for seat in seats) == 16
    hand.tick()
    assert all(seat.started and seat.host is not None for seat in seats)
    assert [calls(hand, seat) for seat in seats] == [[0, 1]] * 16 + [[1]] * 4
    prove(hand, seats[-1:])
