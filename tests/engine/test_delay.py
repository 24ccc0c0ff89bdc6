"""Orders that fill several ticks later: a rule of the season; what waits outlives stops and restarts."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from arena.core.exchange import Rules
from arena.core.orders import Order, Side, Waiting
from arena.core.season_rules import SeasonRules
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.run import BotSource, backtest
from arena.engine.live.sources import ReplaySource
from arena.engine.replay.proof import DIFFERS, REPRODUCED, verify
from arena.engine.seat import Life, seat_of, stored_seat
from arena.errors import StoreError
from arena.store.bundle import StoredRecord, open_bundle, read_bundle, write_bundle
from sandbox.pool import Pool
from tests.arenas import bot_source
from tests.engine.conftest import Hand, plan_of

Deal = Callable[..., Hand]
ONCE = bot_source('global n\nn += 1\nif n == 3: ctx.submit_order("BTCUSDT", "BUY", 1.0)', name="Once", top="n = 0")
# What it orders depends on every tick and on what it holds by then.
COUNTER = bot_source(
    'global n\nn += 1\nctx.log(f"call {n}")\n'
    'ctx.submit_order("BTCUSDT", "BUY" if n % 3 else "SELL", 0.001 * n)\n'
    'if ctx.get_position("BTCUSDT") > 0.02: ctx.submit_order("BTCUSDT", "SELL", 0.02)',
    name="Counter", top="n = 0",
)  # fmt: skip


def rising(ticks: int) -> RecordedMarket:
    """Return a market whose price tells its tick."""
    return RecordedMarket(("BTCUSDT",), np.array([[1_700_000_000.0 + 10 * n, 100.0 + n] for n in range(ticks)]))


def record(hand: Hand) -> list[list[tuple[object, ...]]]:
    columns = {
        "orders": "bot_name, tick, side, size, status, reason, fill_time, fill_price",
        "trades": "bot_name, tick, side, size, price, cash_after, position_after", "equity": "bot_name, tick, equity",
    }  # fmt: skip
    return [hand.rows(f"SELECT {names} FROM {table} WHERE season_id = :season ORDER BY bot_name, id")
            for table, names in columns.items()]  # fmt: skip


def proofs(hand: Hand) -> list[str]:
    return [
        verify(hand.pool, StoredRecord(hand.database, hand.season_id, seat.id)).sentence
        for seat in hand.engine.roster.seats()
    ]


@pytest.mark.parametrize("delay", [1, 2, 5])
def test_an_order_fills_so_many_ticks_later(calm: Pool, delay: int) -> None:
    (result,) = backtest(calm, [BotSource("once.py", ONCE.encode())], rising(12), Rules(delay_ticks=delay), run=1)
    assert result.play is not None
    (trade,) = result.play.ledger.trades
    assert (trade.tick, trade.fill.price) == (2 + delay, 102.0 + delay)


@pytest.mark.system
def test_what_waits_at_the_end_of_a_backtest_has_expired(calm: Pool) -> None:
    for run in (1, 512):
        (result,) = backtest(calm, [BotSource("c.py", COUNTER.encode())], rising(9), Rules(delay_ticks=4), run=run)
        assert result.play is not None
        assert [order.status.value for order in result.play.ledger.orders[:9]] == ["filled"] * 5 + ["expired"] * 4


@pytest.mark.parametrize("memories", [False, True])
def test_orders_of_several_ticks_wait_through_stops(deal: Deal, calm: Pool, *, memories: bool) -> None:
    source = ReplaySource(rising(30))
    hand = deal(source, plan_of(delay_ticks=3, fee_bps=5.0), pool=calm)
    hand.snapshot_minutes = 10.0 * memories
    hand.restart()
    hand.admit(COUNTER)
    for ticks in (1, 2, 7, 20):
        hand.tick(ticks)
        waiting = [(each.order, each.due) for each in hand.engine.roster.seats()[0].pending]
        hand.restart()
        assert [(each.order, each.due) for each in hand.engine.roster.seats()[0].pending] == waiting
        assert waiting[-1][1] == hand.engine.market.n + 3
    (result,) = backtest(calm, [BotSource("c.py", COUNTER.encode())], rising(30),
                         Rules(fee_bps=5.0, delay_ticks=3), seed=hand.engine._state.chance, run=512)  # fmt: skip
    assert result.play is not None
    trades = hand.rows("SELECT tick, size, price, cash_after FROM trades WHERE season_id = :season ORDER BY id")
    assert trades == [
        (each.tick, each.fill.size, each.fill.price, each.fill.cash_after) for each in result.play.ledger.trades
    ]
    assert len(trades) > 25
    assert proofs(hand)[0].startswith(REPRODUCED), proofs(hand)


@pytest.mark.system
def test_orders_of_a_worker_that_has_died_still_fill_and_the_next_one_is_brought_back_with_them(deal: Deal) -> None:
    # It remembers what it held, and orders by that: a worker that was brought back with a wrong account would show.
    body = (
        'global n, held\nn += 1\nheld += ctx.get_position("BTCUSDT")\n'
        'ctx.submit_order("BTCUSDT", "BUY", 0.01 * n + held)\n'
        "if tick['prices']['BTCUSDT'] == 103.0:\n    while True: pass"
    )
    hand = deal(ReplaySource(rising(40)), plan_of(delay_ticks=8))
    seat = hand.admit(bot_source(body, top="n = held = 0"))
    hand.tick(4)
    assert hand.engine.roster.get(seat.id).life is Life.RESTARTING
    hand.tick(2)
    assert [event for _, event in hand.events(seat)] == ["start", "killed", "restarted"]
    # Three orders of the first worker wait; the second has made two.
    for _ in range(2):
        hand.restart()
        (seat,) = hand.engine.roster.seats()
        assert seat.life is Life.ACTIVE
        assert [each.due for each in seat.pending][:3] == [8, 9, 10]
    hand.tick(5)
    hand.restart()
    hand.tick(9)
    filled = hand.rows("SELECT tick, round(size * 100) FROM trades WHERE season_id = :season ORDER BY id")
    assert filled[:5] == [(8, 1.0), (9, 2.0), (10, 3.0), (12, 1.0), (13, 2.0)]
    assert proofs(hand)[0].startswith(REPRODUCED), proofs(hand)


def test_an_order_of_init_counts_as_made_at_the_tick_before(deal: Deal) -> None:
    source = 'def init(ctx):\n    ctx.submit_order("BTCUSDT", "BUY", 1.0)\n'
    hand = deal(ReplaySource(rising(20)), plan_of(delay_ticks=4))
    hand.admit(bot_source("ctx.submit_order('BTCUSDT', 'BUY', 2.0)", top=source))
    hand.tick(1)
    hand.restart()
    hand.tick(8)
    found = hand.rows("SELECT tick, size FROM trades WHERE season_id = :season ORDER BY id")
    assert found[:3] == [(3, 1.0), (4, 2.0), (5, 2.0)]
    assert proofs(hand)[0].startswith(REPRODUCED), proofs(hand)


def test_what_an_older_version_has_stored_waits_for_the_next_tick() -> None:
    orders = [Waiting(1, Order("A", Side.BUY, 2.0)), Waiting(4, Order("A", Side.SELL, 1.0))]
    account, _ = seat_of([[10.0, {}, 0.0, 0.0, -1, 0], []])
    stored = stored_seat(account, orders)
    assert stored is not None
    assert seat_of(stored) == (account, orders)
    assert seat_of([stored[0], [["A", "BUY", 2.0]]]) == (account, orders[:1])
    assert stored_seat(account._replace(cash=math.inf), orders) is None


def test_a_bundle_holds_the_delay_and_a_proof_goes_by_it(deal: Deal, tmp_path: Path) -> None:
    hand = deal(ReplaySource(rising(20)), plan_of(delay_ticks=3))
    seat = hand.admit(COUNTER)
    hand.tick(15)
    assert SeasonRules.of(hand.season.model_dump()).document()["delay_ticks"] == 3
    bundle = read_bundle(hand.database, hand.season_id, seat.id, "1.0")
    write_bundle(bundle, tmp_path / "bot.zip")
    found = open_bundle(tmp_path / "bot.zip")
    assert verify(hand.pool, found).status == REPRODUCED
    found.season["delay_ticks"] = 2
    assert verify(hand.pool, found).status == DIFFERS
    for wrong in (0, 101, 1.5, None):
        bundle.season["delay_ticks"] = wrong
        write_bundle(bundle, tmp_path / "bot.zip")
        with pytest.raises(StoreError, match="delay"):
            open_bundle(tmp_path / "bot.zip")


def test_another_delay_is_another_season_and_the_usual_one_goes_on() -> None:
    assert plan_of().key() == plan_of(delay_ticks=1).key()
    assert plan_of(delay_ticks=2).key() not in {plan_of().key(), plan_of(delay_ticks=3).key()}
