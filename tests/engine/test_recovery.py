"""Restart equals recovery: a season that was interrupted ends exactly like one that was not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine as Database

from arena.engine.seat import Life
from arena.store.database import open_database
from sandbox.pool import Pool
from tests.arenas import bot_source
from tests.engine.conftest import SPIN, Hand, Steady, plan_of, synthetic

Deal = Callable[..., Hand]
BOTS = Path(__file__).parents[2] / "bots"
FILES = (
    "example_random",
    "example_trend",
    "momentum_bot",
    "mean_reversion_bot",
    "breakout_bot",
    "buy_and_hold",
)
EVERY_TICK = bot_source(
    'ctx.submit_order("ETHUSDT", "BUY", random.random() / 10)\n'
    'ctx.submit_order("ETHUSDT", "SELL", random.random() / 10)\n'
    'ctx.submit_order("NOPE", "BUY", 1.0)\nif n % 7 == 0: ctx.submit_order("ETHUSDT", "SELL", -1)\n'
    "ctx.log(f'{n} {random.random()}')\nstep()",
    name="Every Tick", top="import random\nn = 0\ndef step():\n    global n\n    n += 1\n",
)  # fmt: skip
TABLES = {
    "trades": "bot_name, tick, symbol, side, size, price, cash_after, position_after, fee, realized_pnl",
    "orders": "bot_name, tick, symbol, side, size, status, reason, fill_time, fill_price, fill_size",
    "equity": "bot_name, tick, equity, realized_pnl, unrealized_pnl, cash",
    "ticks": "n, time",
}


def sources() -> list[str]:
    return [*((BOTS / f"{name}.py").read_text() for name in FILES), EVERY_TICK]


def picture(hand: Hand) -> dict[str, Any]:
    """Return everything that a bot's author could see, without the ids."""
    seats = {
        seat.name: (
            seat.account._asdict(), dataclasses.asdict(seat.score), seat.equity, seat.unrealized,
            [waiting.order for waiting in seat.pending], seat.status, seat.errors, seat.record,
        )
        for seat in hand.engine.roster.seats()
    }  # fmt: skip
    tables = {
        table: hand.rows(f"SELECT {columns} FROM {table} WHERE season_id = :season ORDER BY {order}")
        for table, columns in TABLES.items()
        for order in ["n" if table == "ticks" else "bot_name, tick, id"]
    }
    logs = hand.rows(
        "SELECT b.bot_name, l.tick, l.level, l.message FROM logs l JOIN bots b ON b.id = l.bot_id "
        "WHERE l.season_id = :season ORDER BY b.bot_name, l.id"
    )
    return {"seats": seats, "logs": logs, **tables}


@pytest.fixture(scope="module")
def uninterrupted(
    calm: Pool, migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    import shutil

    path = tmp_path_factory.mktemp("whole") / "lab.db"
    shutil.copy(migrated_sqlite, path)
    database = open_database(f"sqlite:///{path}")
    hand = Hand(database, calm, synthetic, plan_of(fee_bps=7.0, slippage_bps=3.0))
    for source in sources():
        hand.admit(source)
    hand.tick(54)
    yield picture(hand)
    hand.engine.stop()
    database.dispose()


@pytest.mark.system
def test_an_interrupted_season_ends_exactly_like_a_whole_one(
    database: Database, calm: Pool, uninterrupted: dict[str, Any]
) -> None:
    hand = Hand(database, calm, synthetic, plan_of(fee_bps=7.0, slippage_bps=3.0))
    for source in sources():
        hand.admit(source)
    for ticks in (1, 22, 18, 13):
        hand.tick(ticks)
        before = picture(hand)
        hand.restart()
        after = picture(hand)
        assert after["seats"] == before["seats"]
        assert after == before
    found = picture(hand)
    hand.engine.stop()
    assert any(row[0] == "Every Tick" for row in found["trades"])
    assert any(row[0] == "Random Trader" for row in found["trades"])
    for part, value in uninterrupted.items():
        assert found[part] == value, part


def test_a_restart_before_the_first_tick_changes_nothing(deal: Deal) -> None:
    hand = deal()
    hand.admit(bot_source('ctx.submit_order("BTCUSDT", "BUY", 0.01)'))
    hand.restart()
    hand.tick(2)
    (seat,) = hand.engine.roster.seats()
    assert seat.account.size_of("BTCUSDT") == 0.01
    assert hand.events(seat) == [(0, "start")]


@pytest.mark.system
def test_memory_comes_back_with_the_pauses_and_late_ticks_it_had(deal: Deal) -> None:
    hand = deal(Steady())
    body = f"global n\nn += 1\nctx.log(f'call {{n}}')\nif n == 3:\n    {SPIN}"
    seat = hand.admit(bot_source(body, top="n = 0"))
    hand.tick(4)
    hand.engine.roster.pause(seat.id)
    hand.tick(2)
    hand.engine.roster.resume(seat.id)
    hand.tick(2)
    hand.restart()
    hand.tick()
    lines = [
        message
        for (message,) in hand.rows("SELECT message FROM logs WHERE season_id = :season AND level = 'INFO' ORDER BY id")
    ]
    # The third call was late: it happened, but nothing of it counts.
    assert lines == ["call 1", "call 2", "call 4", "call 5", "call 6", "call 7"]


def test_a_paused_bot_stays_paused_and_wakes_where_it_was(deal: Deal) -> None:
    hand = deal(Steady())
    seat = hand.admit(bot_source("global n\nn += 1\nctx.log(f'call {n}')", top="n = 0"))
    hand.tick(2)
    hand.engine.roster.pause(seat.id)
    hand.tick(2)
    hand.restart()
    (again,) = hand.engine.roster.seats()
    assert again.life is Life.PAUSED
    hand.tick()
    hand.engine.roster.resume(again.id)
    hand.tick()
    assert hand.rows("SELECT message FROM logs WHERE season_id = :season ORDER BY id DESC LIMIT 1") == [("call 3",)]


@pytest.mark.system
def test_retired_and_quarantined_bots_stay_out_and_their_accounts_exact(deal: Deal) -> None:
    hand = deal(Steady({"BTCUSDT": 100.0}, {"BTCUSDT": 100.0}, {"BTCUSDT": 130.0}))
    buy = 'ctx.submit_order("BTCUSDT", "BUY", 1.0)'
    gone = hand.admit(bot_source(buy, name="Gone"))
    bad = hand.admit(bot_source(f"global n\nn += 1\nif n == 1: {buy}\nif n > 1:\n    {SPIN}", name="Bad", top="n = 0"))
    hand.tick(2)
    hand.engine.roster.retire(gone.id)
    hand.tick(3)
    before = picture(hand)["seats"]
    assert (gone.status, bad.status) == ("retired", "quarantined")
    hand.restart()
    hand.tick()
    after = {seat.name: seat for seat in hand.engine.roster.seats()}
    assert (after["Gone"].status, after["Bad"].status) == ("retired", "quarantined")
    assert {name: seat.worker for name, seat in after.items()} == {"Gone": None, "Bad": None}
    for name, seat in after.items():
        assert seat.account._asdict() == before[name][0]
    assert after["Bad"].equity == 10_030.0


@pytest.mark.system
def test_strikes_and_restarts_are_remembered(deal: Deal) -> None:
    hand = deal(Steady())
    body = f"global n\nn += 1\nif n == 2:\n    {SPIN}\nif n == 4:\n    while True: pass"
    seat = hand.admit(bot_source(body, top="n = 0"))
    hand.tick(3)
    hand.restart()
    (seat,) = hand.engine.roster.seats()
    assert len(seat.record.strikes) == 1
    hand.tick()
    assert seat.life is Life.RESTARTING
    record = seat.record
    hand.restart()
    (seat,) = hand.engine.roster.seats()
    assert seat.life is Life.RESTARTING
    assert seat.record == record
    hand.tick()
    assert hand.events(seat) == [(0, "start"), (1, "late"), (3, "killed"), (4, "restarted")]


def test_a_bot_that_a_newer_policy_refuses_keeps_its_account(deal: Deal) -> None:
    from sqlalchemy import text

    hand = deal(Steady({"BTCUSDT": 100.0}, {"BTCUSDT": 100.0}, {"BTCUSDT": 130.0}))
    hand.admit(bot_source('ctx.submit_order("BTCUSDT", "BUY", 1.0)'))
    other = hand.admit(bot_source(name="Other"))
    hand.tick(2)
    with hand.database.begin() as connection:
        connection.execute(text("UPDATE bots SET source = 'import os' WHERE name = 'Tester'"))
    hand.restart()
    hand.tick(2)
    seat = next(seat for seat in hand.engine.roster.seats() if seat.name == "Tester")
    assert seat.status == "refused_by_upgrade"
    assert seat.account.sizes() == {"BTCUSDT": 2.0}
    assert seat.equity == 10_030.0
    assert hand.engine.roster.get(other.id).status == "active"


@pytest.mark.system
def test_a_bot_that_cannot_catch_up_starts_afresh_with_its_account(deal: Deal) -> None:
    """Its globals are lost where they cannot be rebuilt; its money never is."""
    from sqlalchemy import text

    hand = deal(Steady())
    hand.admit(bot_source('ctx.submit_order("BTCUSDT", "BUY", 1.0)'))
    hand.tick(3)
    with hand.database.begin() as connection:
        connection.execute(text("UPDATE bots SET source = :source"), {"source": bot_source("while True: pass")})
    hand.restart()
    (seat,) = hand.engine.roster.seats()
    assert seat.account.sizes() == {"BTCUSDT": 2.0}
    assert seat.life is Life.RESTARTING
