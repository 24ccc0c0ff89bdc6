"""One tick: settle, ask, record, publish; one row for everything that happens."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import signal
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import text

from arena.core.exchange import Conditions
from arena.core.orders import Order
from arena.engine.live.sources import LiveSource
from arena.engine.seat import Seat
from arena.feeds.base import PriceUpdate
from arena.feeds.live import LiveMarket
from tests.arenas import bot_source, until
from tests.engine.conftest import SYMBOLS, Hand, Steady, plan_of

Deal = Callable[..., Hand]
ORDERS = (
    "SELECT tick, side, size, status, reason, fill_price, fill_size FROM orders WHERE season_id = :season ORDER BY id"
)


def at_tick(n: int, body: str) -> tuple[str, str]:
    """Return the top and body of a bot that acts at its n-th call."""
    lines = "".join(f"\n    {line}" for line in body.splitlines())
    return "calls = -1", f"global calls\ncalls += 1\nif calls == {n}:{lines}"


def bot_at(n: int, body: str, name: str = "Tester") -> str:
    top, inside = at_tick(n, body)
    return bot_source(inside, name=name, top=top)


def test_orders_fill_at_the_next_tick_in_the_order_submitted(deal: Deal) -> None:
    hand = deal(Steady({"BTCUSDT": 100.0}, {"BTCUSDT": 200.0}))
    body = (
        'ctx.submit_order("BTCUSDT", "SELL", 1.0)\nctx.submit_order("BTCUSDT", "BUY", 2.0)\n'
        'ctx.submit_order("BTCUSDT", "BUY", 1000.0)\nctx.submit_order("BTCUSDT", "SELL", 5.0)\n'
        'ctx.submit_order("NOPE", "BUY", 1.0)\nctx.submit_order("BTCUSDT", "buy", 1.0)'
    )
    seat = hand.admit(bot_at(0, body))
    hand.tick()
    assert [waiting.order for waiting in seat.pending] == [
        Order("BTCUSDT", "SELL", 1.0), Order("BTCUSDT", "BUY", 2.0), Order("BTCUSDT", "BUY", 1000.0),
        Order("BTCUSDT", "SELL", 5.0), Order("NOPE", "BUY", 1.0),
    ]  # fmt: skip
    assert [row[3] for row in hand.rows(ORDERS)] == ["pending"] * 5 + ["rejected"]
    hand.tick()
    assert hand.rows(ORDERS) == [
        (0, "SELL", 1.0, "rejected", "Bot 'Tester' has no position in BTCUSDT to sell", None, None),
        (0, "BUY", 2.0, "filled", None, 200.0, 2.0),
        (
            0,
            "BUY",
            1000.0,
            "rejected",
            "Bot 'Tester' has insufficient cash: $9600.00 < $200000.00",
            None,
            None,
        ),
        (0, "SELL", 5.0, "filled", None, 200.0, 2.0),
        (0, "BUY", 1.0, "rejected", "No price available for NOPE", None, None),
        (0, "buy", 1.0, "rejected", "Unknown order side: 'buy' (use 'BUY' or 'SELL')", None, None),
    ]
    trades = hand.rows(
        "SELECT time, side, size, cash_after, position_after FROM trades WHERE season_id = :season ORDER BY id"
    )
    assert trades == [
        (1_700_000_010.0, "BUY", 2.0, 9600.0, 2.0),
        (1_700_000_010.0, "SELL", 2.0, 10_000.0, 0.0),
    ]
    assert seat.account.positions == {}


def test_orders_of_init_fill_at_the_first_tick(deal: Deal) -> None:
    hand = deal(Steady({"BTCUSDT": 50.0}))
    seat = hand.admit(bot_source(top='def init(ctx):\n    ctx.submit_order("BTCUSDT", "BUY", 1.0)\n'))
    hand.tick()
    assert seat.account.sizes() == {"BTCUSDT": 1.0}
    assert hand.rows(ORDERS) == [(0, "BUY", 1.0, "filled", None, 50.0, 1.0)]


def test_fees_and_slippage_are_the_seasons(deal: Deal) -> None:
    hand = deal(Steady({"BTCUSDT": 100.0}), plan_of(fee_bps=10.0, slippage_bps=100.0))
    seat = hand.admit(bot_at(0, 'ctx.submit_order("BTCUSDT", "BUY", 1.0)'))
    hand.tick(2)
    assert hand.rows("SELECT price, fee FROM trades WHERE season_id = :season") == [(101.0, 0.101)]
    assert seat.equity == pytest.approx(10_000 - 1.0 - 0.101)


def test_equity_is_written_at_every_tenth_tick(deal: Deal) -> None:
    hand = deal()
    hand.admit(bot_source())
    hand.tick(25)
    ticks = hand.rows("SELECT tick FROM equity WHERE season_id = :season ORDER BY id")
    assert ticks == [(0,), (10,), (20,)]
    assert hand.rows("SELECT count(*) FROM ticks WHERE season_id = :season") == [(25,)]


def test_a_tick_that_all_answered_has_no_row_about_bots(deal: Deal) -> None:
    hand = deal()
    seat = hand.admit(bot_source())
    hand.tick(5)
    assert hand.events(seat) == [(0, "start")]


def test_standings_rank_by_equity(deal: Deal) -> None:
    hand = deal(Steady({"BTCUSDT": 100.0}, {"BTCUSDT": 100.0}, {"BTCUSDT": 120.0}))
    for name, size in (("Idle", 0.0), ("Small", 1.0), ("Large", 5.0)):
        hand.admit(bot_at(0, f'ctx.submit_order("BTCUSDT", "BUY", {size})', name=name))
    hand.tick(11)
    query = (
        "SELECT s.rank, b.bot_name, s.equity, s.rejected FROM standings s JOIN bots b ON b.id = s.bot_id "
        "WHERE s.season_id = :season ORDER BY s.rank"
    )
    assert hand.rows(query) == [
        (1, "Large", 10_100.0, 0),
        (2, "Small", 10_020.0, 0),
        (3, "Idle", 10_000.0, 1),
    ]


def test_what_is_published_has_been_written(deal: Deal) -> None:
    import asyncio

    hand = deal()

    async def listen() -> list[tuple[str, int]]:
        with hand.engine._broadcast.listening() as stream:
            hand.tick(2)
            await asyncio.sleep(0)
            hand.engine._broadcast.close()
            return [(event.kind, event.data.get("n", -1)) async for event in stream]

    assert asyncio.run(listen()) == [("tick", 0), ("leaderboard", -1), ("tick", 1)]
    assert hand.rows("SELECT n FROM ticks WHERE season_id = :season ORDER BY n") == [(0,), (1,)]


def test_without_a_price_the_clock_waits_and_keeps_what_is_queued(deal: Deal, caplog: pytest.LogCaptureFixture) -> None:
    market = LiveMarket()
    hand = deal(LiveSource(market, SYMBOLS, 10.0))
    seat = hand.admit(bot_source(top='def init(ctx):\n    ctx.submit_order("BTCUSDT", "BUY", 1.0)\n'))
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            assert hand.tick() == -1
    assert caplog.messages.count("No prices available yet, waiting...") == 2
    assert hand.engine.state == "waiting"
    assert hand.rows("SELECT n FROM ticks WHERE season_id = :season") == []
    market.on_price(PriceUpdate("BTCUSDT", 100.0, 1_700_000_000.0, 1_700_000_000.0))
    assert hand.tick() == 0
    assert hand.engine.state == "running"
    assert seat.account.sizes() == {"BTCUSDT": 1.0}


def test_a_held_symbol_that_loses_its_price_keeps_its_last_one(deal: Deal) -> None:
    hand = deal(Steady({"BTCUSDT": 100.0, "ETHUSDT": 10.0}, {"BTCUSDT": 100.0, "ETHUSDT": 12.0}, {"BTCUSDT": 100.0}))
    seat = hand.admit(bot_at(0, 'ctx.submit_order("ETHUSDT", "BUY", 10.0)'))
    hand.tick(3)
    assert seat.equity == 10_000.0
    assert seat.account.sizes() == {"ETHUSDT": 10.0}


def test_nobody_trades_at_a_price_that_has_become_old(deal: Deal) -> None:
    market = Steady()
    hand = deal(market)
    seat = hand.admit(bot_at(0, 'ctx.submit_order("BTCUSDT", "BUY", 1.0)'))
    hand.tick()
    market.strange[1] = Conditions({"BTCUSDT": "Price of BTCUSDT is stale", "ETHUSDT": "Price of ETHUSDT is stale"})
    hand.tick()
    assert [row[3:5] for row in hand.rows(ORDERS)] == [("rejected", "Price of BTCUSDT is stale")]
    assert seat.account.positions == {}
    # Only what has mattered to an order is journaled.
    kept = {"barred": {"BTCUSDT": "Price of BTCUSDT is stale"}}
    assert [json.loads(row[0]) for row in hand.rows("SELECT conditions FROM ticks WHERE n = 1")] == [kept]


def test_a_symbol_that_ends_is_settled_at_its_outcome_and_cannot_be_traded_any_more(deal: Deal) -> None:
    both, one = {"BTCUSDT": 100.0, "ETHUSDT": 0.4}, {"BTCUSDT": 100.0}
    market = Steady(both, both, one)
    market.strange[2] = Conditions({"ETHUSDT": "Market ETHUSDT has ended."}, {"ETHUSDT": 1.0})
    hand = deal(market)
    seat = hand.admit(bot_source('ctx.submit_order("ETHUSDT", "BUY", 10.0)'))
    hand.tick(4)
    assert seat.account.cash == 10_000.0 - 4.0 + 10.0
    assert (seat.account.realized, seat.account.positions, seat.score.wins) == (6.0, {}, 1)
    assert hand.rows("SELECT side, size, price, order_id FROM trades ORDER BY id")[1:] == [("SELL", 10.0, 1.0, None)]
    assert [row[3:5] for row in hand.rows(ORDERS)][1:3] == [
        ("rejected", "Market ETHUSDT has ended."),
        ("rejected", "No price available for ETHUSDT"),
    ]
    before = seat.account
    hand.restart()
    assert hand.engine.roster.get(seat.id).account == before
    assert hand.engine.market.ended == {"ETHUSDT": 1.0}


def test_the_end_of_the_only_symbol_is_settled_without_any_price(deal: Deal) -> None:
    market = Steady({"ETHUSDT": 0.4}, {"ETHUSDT": 0.4}, {})
    market.strange[2] = Conditions({"ETHUSDT": "Market ETHUSDT has ended."}, {"ETHUSDT": 0.0})
    hand = deal(market)
    seat = hand.admit(bot_at(0, 'ctx.submit_order("ETHUSDT", "BUY", 10.0)'))
    assert hand.tick(3) == 2
    assert (seat.account.cash, seat.account.realized, seat.account.positions) == (9_996.0, -4.0, {})
    market.strange.clear()
    assert hand.tick() == 2
    assert hand.engine.state == "waiting"


def test_a_cancelled_symbol_gives_back_what_was_paid(deal: Deal) -> None:
    both = {"BTCUSDT": 100.0, "ETHUSDT": 0.4}
    market = Steady(both, {**both, "ETHUSDT": 0.5}, {"BTCUSDT": 100.0})
    market.strange[2] = Conditions({}, {"ETHUSDT": None})
    hand = deal(market)
    seat = hand.admit(bot_at(0, 'ctx.submit_order("ETHUSDT", "BUY", 10.0)'))
    hand.tick(3)
    assert (seat.account.cash, seat.account.realized, seat.account.positions) == (10_000.0, 0.0, {})


def test_a_database_that_is_away_stops_the_clock_and_loses_nothing(deal: Deal) -> None:
    hand = deal()
    seat = hand.admit(bot_at(0, 'ctx.submit_order("BTCUSDT", "BUY", 0.01)'))
    hand.tick()
    with hand.database.begin() as connection:
        connection.execute(text("ALTER TABLE trades RENAME TO away"))
    ticking = threading.Thread(target=hand.tick)
    ticking.start()
    until(lambda: hand.engine.state == "waiting", "the clock stands")
    assert seat.account.positions == {}
    assert hand.rows("SELECT n FROM ticks WHERE season_id = :season") == [(0,)]
    with hand.database.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO trades"))
    ticking.join(60)
    assert not ticking.is_alive()
    hand.tick()
    assert hand.engine.state == "running"
    assert seat.account.sizes() == {"BTCUSDT": 0.01}
    assert hand.rows("SELECT n FROM ticks WHERE season_id = :season ORDER BY n") == [(0,), (1,), (2,)]
    assert hand.rows("SELECT count(*) FROM trades WHERE season_id = :season") == [(1,)]


def shown(seat: Seat) -> tuple[object, ...]:
    """Return all of a seat that a reader, the board or a restart can see."""
    return (
        seat.life, seat.status, seat.started, seat.entry.status, seat.entry.reason, seat.account, seat.equity,
        seat.unrealized, seat.score.state(), [(waiting.id, waiting.order) for waiting in seat.pending],
        dataclasses.astuple(seat.tally), dataclasses.astuple(seat.log_allowance), seat.recorded, seat.errors,
        seat.errors_in_a_row, seat.last_error, seat.good_tick, seat.rejection,
    )  # fmt: skip


def test_nothing_of_a_seat_changes_before_its_tick_is_written(deal: Deal, caplog: pytest.LogCaptureFixture) -> None:
    hand = deal(Steady())
    order = 'ctx.submit_order("BTCUSDT", "BUY", 0.01)'
    buyer = hand.admit(bot_source(f"{order}\nctx.log('bought')", name="Buyer"))
    wrong = hand.admit(bot_source("ctx.submit_order('BTCUSDT', 'up', 1.0)\nraise ValueError('bad')", name="Wrong"))
    crashed = hand.admit(bot_source(order, name="Crashed"))
    hand.tick()
    fresh = hand.admit(bot_source("pass", name="Fresh", top=f"def init(ctx):\n    {order}\n    ctx.log('hello')\n"))
    assert crashed.worker is not None
    os.kill(crashed.worker.pid, signal.SIGSEGV)
    seats = (buyer, wrong, crashed, fresh)
    before = [shown(seat) for seat in seats]
    caplog.clear()
    with hand.database.begin() as connection:
        connection.execute(text("ALTER TABLE tick_rows RENAME TO away"))
    ticking = threading.Thread(target=hand.tick)
    ticking.start()
    until(lambda: hand.engine.state == "waiting", "the clock stands")
    assert [shown(seat) for seat in seats] == before
    assert hand.engine.market.n == 0
    assert [record.message for record in caplog.records if record.name == "arena.bots"] == []
    with hand.database.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO tick_rows"))
    ticking.join(60)
    assert not ticking.is_alive()
    assert [seat.status for seat in seats] == ["active", "active", "quarantined", "active"]
    assert buyer.account.sizes() == fresh.account.sizes() == {"BTCUSDT": 0.01}
    assert (wrong.errors, wrong.tally.orders, fresh.tally.orders) == (2, 2, 1)
    assert crashed.entry.status == "quarantined"
    assert (crashed.account.sizes(), crashed.pending) == ({"BTCUSDT": 0.01}, [])


def test_a_stop_while_the_database_is_away_forgets_the_tick_whole(deal: Deal) -> None:
    hand = deal()
    seat = hand.admit(bot_at(0, 'ctx.submit_order("BTCUSDT", "BUY", 0.01)'))
    hand.tick()
    with hand.database.begin() as connection:
        connection.execute(text("ALTER TABLE trades RENAME TO away"))
    ticking = threading.Thread(target=hand.tick)
    ticking.start()
    until(lambda: hand.engine.state == "waiting", "the clock stands")
    hand.engine.shut_down()
    ticking.join(60)
    assert not ticking.is_alive()
    assert hand.engine.market.n == 0
    assert seat.account.positions == {}
    with hand.database.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO trades"))
    hand.restart()
    hand.tick()
    (again,) = hand.engine.roster.seats()
    assert again.account.sizes() == {"BTCUSDT": 0.01}


def test_a_full_disk_stops_the_clock(deal: Deal, caplog: pytest.LogCaptureFixture) -> None:
    from pathlib import Path

    hand = deal()
    hand.engine._journal._disk, hand.engine._journal._min_free = Path("/"), 1 << 60
    ticking = threading.Thread(target=hand.tick)
    ticking.start()
    until(lambda: hand.engine.state == "waiting", "the clock stands")
    assert any("MIN_FREE_DISK" in message for message in caplog.messages)
    hand.engine._journal._min_free = 0
    ticking.join(60)
    assert not ticking.is_alive()
    assert hand.engine.market.n == 0


def test_bots_share_nothing(deal: Deal) -> None:
    hand = deal()
    body = "global n\nn += 1\nctx.log(str(n))"
    seats = [hand.admit(bot_source(body, name=name, top="n = 0")) for name in ("One", "Two")]
    hand.tick(3)
    for seat in seats:
        found = hand.rows(f"SELECT message FROM logs WHERE season_id = :season AND bot_id = '{seat.id}' ORDER BY id")
        assert [message for (message,) in found] == ["1", "2", "3"]
