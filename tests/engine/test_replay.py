"""A recorded season: played once, by the bots that were there, and closed at its end."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from arena.engine.backtest.account import RecordedMarket
from arena.engine.live.sources import ReplaySource
from arena.store.queries import season_row
from tests.arenas import bot_source, until
from tests.engine.conftest import Hand

Deal = Callable[..., Hand]
BUY = 'ctx.submit_order("BTCUSDT", "BUY", 0.01)'


def recording(ticks: int) -> ReplaySource:
    rows = [[1_700_000_000.0 + 60 * n, 100.0 + n % 9] for n in range(ticks)]
    return ReplaySource(RecordedMarket(("BTCUSDT",), np.array(rows)))


def played(hand: Hand) -> None:
    thread = threading.Thread(target=hand.engine.main_loop)
    thread.start()
    until(lambda: hand.engine.state == "finished", "the replay has ended")
    hand.engine.shut_down()
    thread.join(60)
    assert not thread.is_alive()


def test_a_replay_plays_every_tick_and_closes_its_season(deal: Deal) -> None:
    hand = deal(recording(37))
    seat = hand.admit(bot_source(BUY))
    hand.engine.release()
    played(hand)
    assert hand.rows("SELECT count(*), max(time) FROM ticks WHERE season_id = :season") == [(37, 1_700_002_160.0)]
    assert season_row(hand.database, hand.season_id)["status"] == "closed"
    assert seat.score.trades == 36
    assert hand.rows("SELECT tick FROM equity WHERE season_id = :season ORDER BY id") == [
        (0,),
        (10,),
        (20,),
        (30,),
        (36,),
    ]


def test_what_waits_at_the_end_has_expired(deal: Deal) -> None:
    hand = deal(recording(5))
    hand.admit(bot_source(BUY))
    hand.engine.release()
    played(hand)
    assert hand.rows("SELECT tick, status FROM orders WHERE season_id = :season ORDER BY id") == [
        (0, "filled"), (1, "filled"), (2, "filled"), (3, "filled"), (4, "expired"),
    ]  # fmt: skip


def test_a_replay_waits_for_the_bots_that_are_there_at_the_start(deal: Deal) -> None:
    hand = deal(recording(5))
    thread = threading.Thread(target=hand.engine.main_loop)
    thread.start()
    seat = hand.engine.call(lambda: hand.admit(bot_source(BUY))).result(60)
    assert hand.engine.market.n == -1
    hand.engine.release()
    until(lambda: hand.engine.state == "finished", "the replay has ended")
    hand.engine.shut_down()
    thread.join(60)
    assert not thread.is_alive()
    assert hand.events(seat) == [(0, "start")]
    assert seat.score.trades == 4


def test_a_replay_that_is_interrupted_goes_on_to_the_same_end(deal: Deal) -> None:
    hand = deal(recording(30))
    hand.admit(bot_source(f"global n\nn += 1\nif n % 3 == 0: {BUY}", top="n = 0"))
    source = hand.make(0)
    for n in range(12):
        hand.engine.on_tick(n, 1_700_000_000.0 + 60 * n)
    hand.make = lambda _: source
    hand.restart()
    hand.engine.release()
    played(hand)
    ticks = hand.rows("SELECT tick FROM trades WHERE season_id = :season ORDER BY id")
    assert ticks == [(n,) for n in range(3, 30, 3)]


def test_a_closed_season_ticks_no_more(deal: Deal) -> None:
    hand = deal()
    hand.tick(3)
    hand.engine.finish()
    hand.engine.finish()
    thread = threading.Thread(target=hand.engine.main_loop)
    thread.start()
    assert hand.engine.call(lambda: hand.engine.market.n).result(60) == 2
    hand.engine.shut_down()
    thread.join(60)
    assert not thread.is_alive()
    assert hand.rows("SELECT count(*) FROM ticks WHERE season_id = :season") == [(3,)]
