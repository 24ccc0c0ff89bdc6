"""The memory of bots is saved between ticks and at a clean stop, and what is stored restores a bot exactly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from arena.engine.live.snapshots import Snapshots
from arena.engine.seat import Seat
from arena.runtime.version import runtime_hash
from arena.store.models import Snapshot
from arena.store.recovered import recover
from arena.store.snapshots import newest_ticks, save_snapshots, snapshot_state, usable_snapshots
from sandbox.talk.gather import gather
from sandbox.talk.snapshot import read_restored
from tests.engine.conftest import Hand, Steady

COUNTS = """
NAME = "counts"
SYMBOLS = ["BTCUSDT"]
state = {"n": 0}

def on_tick(ctx, tick):
    state["n"] += 1
    ctx.log(str(state["n"]))
    if state["n"] % 3 == 1:
        ctx.submit_order("BTCUSDT", "BUY", 1)
"""
FEEDS = COUNTS.replace("counts", "feeds").replace('{"n": 0}', '{"n": 0, "feed": iter({1: 2})}')


@pytest.fixture
def hand(deal: Callable[..., Hand]) -> Hand:
    return deal(Steady())


def snapshots(hand: Hand, minutes: float = 10.0, clock: Callable[[], float] | None = None) -> Snapshots:
    more = {} if clock is None else {"clock": clock}
    return Snapshots(hand.database, hand.pool, hand.engine._state, minutes, **more)


def stored(hand: Hand, seat: Seat) -> list[Snapshot]:
    last = hand.engine.market.n
    return list(usable_snapshots(hand.database, hand.season_id, seat.id, runtime_hash(), last))


def test_a_clean_stop_saves_every_bot_as_of_the_last_tick(hand: Hand) -> None:
    seats = [hand.admit(COUNTS), hand.admit(FEEDS)]
    hand.tick(6)
    snapshots(hand).at_stop(hand.engine.roster.seats())
    (row,) = stored(hand, seats[0])
    assert (row.tick, row.source_hash, row.size) == (5, seats[0].bot.source_hash, len(row.data or b""))
    assert stored(hand, seats[1]) == []
    told = snapshot_state(hand.database, hand.season_id, seats[1].id)
    assert told == {"tick": None, "size": None, "problem": "state['feed'] is an iterator (dict_keyiterator)"}
    assert snapshot_state(hand.database, hand.season_id, seats[0].id) == {
        "tick": 5, "size": row.size, "problem": None,
    }  # fmt: skip


def test_a_restored_worker_stands_where_the_bot_stood(hand: Hand) -> None:
    seat = hand.admit(COUNTS)
    hand.tick(8)
    snapshots(hand).at_stop([seat])
    (row,) = stored(hand, seat)
    assert row.data is not None
    worker, ask = hand.pool.spawn_restored(seat.program, row.data)
    (answer,) = gather([ask])
    assert answer.payload is not None
    assert read_restored(answer.payload) == ""
    assert seat.worker is not None
    seat.worker.close()
    seat.worker, seat.symbols_told, seat.told = worker, -1, None
    hand.tick(4)
    logs = [int(row[0]) for row in hand.rows("SELECT message FROM logs WHERE season_id = :season ORDER BY id")]
    assert logs == list(range(1, logs[-1] + 1))
    assert len(logs) >= 11


def test_the_newest_two_are_kept(hand: Hand) -> None:
    seat = hand.admit(COUNTS)
    keeper = snapshots(hand)
    for _ in range(4):
        hand.tick()
        keeper.at_stop([seat])
    assert [row.tick for row in stored(hand, seat)] == [3, 2]
    assert newest_ticks(hand.database, hand.season_id) == {seat.id: 3}


def test_a_damaged_one_or_one_of_another_runtime_or_of_a_later_tick_is_not_used(hand: Hand) -> None:
    seat = hand.admit(COUNTS)
    keeper = snapshots(hand)
    hand.tick()
    keeper.at_stop([seat])
    hand.tick()
    keeper.at_stop([seat])
    with hand.database.begin() as connection:
        connection.execute(text("UPDATE snapshots SET data = :data WHERE tick = 1"), {"data": b"forged"})
    assert [row.tick for row in stored(hand, seat)] == [0]
    assert list(usable_snapshots(hand.database, hand.season_id, seat.id, "another", 9)) == []
    assert list(usable_snapshots(hand.database, hand.season_id, seat.id, runtime_hash(), -1)) == []


def test_turns_are_spread_over_the_period(hand: Hand) -> None:
    seats = [hand.admit(COUNTS.replace("counts", f"bot {number}")) for number in range(4)]
    hand.tick(3)
    now = 0.0
    keeper = snapshots(hand, 10.0, lambda: now)
    made: dict[int, int] = {}
    before = 0
    for minute in range(11):
        now = minute * 60.0 + 1.0 if minute else 0.0
        keeper.between_ticks(hand.engine.roster.seats(), None)
        count = len(newest_ticks(hand.database, hand.season_id))
        made[minute], before = count - before, count
    assert sum(made.values()) == len(seats)
    assert max(made.values()) == 1


@pytest.mark.parametrize("minutes", [0.0])
def test_none_are_made_where_they_are_off(hand: Hand, minutes: float) -> None:
    seat = hand.admit(COUNTS)
    hand.tick(2)
    keeper = snapshots(hand, minutes)
    keeper.between_ticks([seat], None)
    keeper.at_stop([seat])
    assert newest_ticks(hand.database, hand.season_id) == {}


def test_a_bot_that_has_not_started_or_is_at_work_is_left_alone(hand: Hand) -> None:
    seat = hand.admit(COUNTS)
    snapshots(hand).at_stop([seat])
    assert newest_ticks(hand.database, hand.season_id) == {}


def test_a_newer_problem_stands_beside_the_last_snapshot(hand: Hand) -> None:
    seat = hand.admit(COUNTS)
    hand.tick(2)
    snapshots(hand).at_stop([seat])
    (row,) = stored(hand, seat)
    problem = Snapshot(
        season_id=hand.season_id, bot_id=seat.id, tick=5, saved_at=0.0, runtime="", source_hash="", sha256="",
        size=0, problem="state['x'] is a generator",
    )  # fmt: skip
    save_snapshots(hand.database, [problem])
    told = snapshot_state(hand.database, hand.season_id, seat.id)
    assert told == {"tick": 1, "size": row.size, "problem": "state['x'] is a generator"}


def test_a_bot_that_was_loaded_afresh_is_absent_anew_after_the_next_stop(deal: Callable[..., Hand]) -> None:
    hand = deal(Steady())
    seat = hand.admit(COUNTS)
    hand.tick(4)
    with hand.database.begin() as connection:
        for event in ("recovering", "restarted"):
            connection.execute(
                text("INSERT INTO bot_ticks (season_id, bot_id, tick, event, detail) VALUES (:s, :b, 3, :e, '')"),
                {"s": hand.season_id, "b": seat.id, "e": event},
            )
    assert recover(hand.database, hand.season_id).away == set()
