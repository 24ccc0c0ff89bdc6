"""What becomes of bots that err, dawdle, or break the rules, and of those that are told to pause."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine as Database

from arena.engine.seat import Life
from arena.errors import ConflictError
from sandbox.pool import Pool
from tests.arenas import bot_source, until
from tests.engine.conftest import LIMITS, RUNTIME, SPIN, Hand, Steady, plan_of, synthetic
from tests.engine.test_tick import bot_at

Deal = Callable[..., Hand]
BUY = 'ctx.submit_order("BTCUSDT", "BUY", 1.0)'
ORDER_ENDS = "SELECT tick, status FROM orders WHERE season_id = :season ORDER BY id"


def messages(hand: Hand, level: str) -> list[str]:
    query = f"SELECT message FROM logs WHERE season_id = :season AND level = '{level}' ORDER BY id"
    return [message for (message,) in hand.rows(query)]


def test_exceptions_never_strike_and_the_tenth_in_a_row_is_failing(deal: Deal) -> None:
    hand = deal(Steady())
    seat = hand.admit(bot_source("global n\nn += 1\nif n < 120: raise ValueError(f'bad {n}')", top="n = 0"))
    hand.tick(9)
    assert (seat.status, seat.errors, seat.last_error) == ("active", 9, "bad 9 (ValueError, line 7, tick 8)")
    hand.tick()
    assert seat.status == "failing"
    hand.tick(109)
    assert (seat.status, seat.errors) == ("failing", 119)
    assert hand.events(seat) == [(0, "start")]
    lines = messages(hand, "ERROR")
    assert lines[:2] == [f"Error in bot 'Tester' on_tick: bad {n} (ValueError, line 7, tick {n - 1})" for n in (1, 2)]
    assert len(lines) == 11
    hand.tick()
    assert (seat.status, seat.last_error) == ("active", None)
    assert hand.rows("SELECT errors, last_error FROM entries WHERE season_id = :season") == [(119, None)]


def test_an_error_in_init_is_told_and_the_bot_goes_on(deal: Deal) -> None:
    hand = deal(Steady())
    seat = hand.admit(bot_source(BUY, top="def init(ctx):\n    raise ValueError('early')\n"))
    hand.tick(2)
    assert messages(hand, "ERROR") == ["Error in bot 'Tester' init: early (ValueError, line 4, tick 0)"]
    assert seat.account.sizes() == {"BTCUSDT": 1.0}


def test_a_late_reply_counts_as_no_orders(deal: Deal) -> None:
    hand = deal(Steady())
    seat = hand.admit(bot_at(1, f"{SPIN}\n{BUY}"))
    other = hand.admit(bot_source(BUY, name="Other"))
    hand.tick(3)
    assert hand.events(seat) == [(0, "start"), (1, "late")]
    assert hand.rows(f"SELECT count(*) FROM orders WHERE season_id = :season AND bot_id = '{seat.id}'") == [(0,)]
    assert seat.account.positions == {}
    assert len(seat.record.strikes) == 1
    assert other.account.sizes() == {"BTCUSDT": 2.0}


def test_a_busy_bot_is_skipped_until_it_has_answered(deal: Deal) -> None:
    hand = deal(Steady())
    seat = hand.admit(bot_source("global n\nn += 1\nctx.log(f'call {n}')", top="n = 0"))
    hand.tick()
    assert seat.worker is not None
    # Stopped, so that it is busy however long the machine takes over the two ticks.
    os.kill(seat.worker.pid, signal.SIGSTOP)
    hand.tick(2, deadline=0.02)
    os.kill(seat.worker.pid, signal.SIGCONT)
    hand.wait(seat)
    hand.tick()
    assert hand.events(seat) == [(0, "start"), (1, "late"), (2, "skipped")]
    assert messages(hand, "INFO") == ["call 1", "call 3"]
    assert seat.life is Life.ACTIVE


@pytest.mark.system
def test_three_strikes_are_quarantine_and_the_position_stays(deal: Deal) -> None:
    hand = deal(Steady({"BTCUSDT": 100.0}, {"BTCUSDT": 100.0}, {"BTCUSDT": 110.0}))
    body = f"global calls\ncalls += 1\nif calls == 0: {BUY}\nif calls in (2, 3, 4):\n    {SPIN}"
    seat = hand.admit(bot_source(body, top="calls = -1"))
    hand.tick(4)
    assert seat.account.sizes() == {"BTCUSDT": 1.0}
    hand.tick(2)
    assert seat.status == "quarantined"
    assert hand.events(seat) == [(0, "start"), (2, "late"), (3, "late"), (4, "late"), (4, "quarantined")]
    hand.tick(10)
    assert seat.worker is None
    assert seat.equity == 10_010.0
    (row,) = hand.rows("SELECT status, reason FROM entries WHERE season_id = :season")
    assert row[0] == "quarantined"
    assert "CPU" in row[1]
    assert hand.rows("SELECT equity FROM equity WHERE season_id = :season AND tick = 10") == [(10_010.0,)]


def test_a_native_crash_quarantines_every_bot_of_that_source_for_good(deal: Deal) -> None:
    hand = deal(Steady())
    source = bot_source("pass")
    first, second = (hand.admit(source, origin="generated") for _ in range(2))
    other = hand.admit(bot_source("pass", name="Other"))
    hand.tick()
    assert first.worker is not None
    os.kill(first.worker.pid, signal.SIGSEGV)
    hand.tick()
    assert first.status == second.status == "quarantined"
    assert other.status == "active"
    assert any("crashed natively" in message for message in messages(hand, "ERROR"))
    with pytest.raises(ConflictError, match="quarantined"):
        hand.admit(source, author="someone else", origin="generated")


@pytest.mark.system
def test_an_endless_loop_is_killed_restarted_later_and_then_quarantined(deal: Deal) -> None:
    hand = deal(Steady())
    seat = hand.admit(bot_source("ctx.log('here')\nwhile True: pass"))
    hand.tick(8)
    assert hand.events(seat) == [
        (0, "start"), (0, "killed"), (1, "restarted"), (1, "killed"),
        (5, "restarted"), (5, "killed"), (5, "quarantined"),
    ]  # fmt: skip
    assert seat.status == "quarantined"
    assert any("strike 1 of 3" in message for message in messages(hand, "WARNING"))


@pytest.mark.system
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only root may give a share back")
def test_a_bot_with_a_strike_starts_behind_the_others_until_it_answers_in_time(deal: Deal) -> None:
    market = Steady()
    hand = deal(market)
    seat = hand.admit(bot_source("while ctx.get_price('BTCUSDT') == 100.0: pass"))
    policies = []
    hand.tick()
    market.prices = [{"BTCUSDT": 101.0}]
    launch = hand.engine.supervisor.launch

    def noting(*given: Any) -> None:
        launch(*given)
        policies.append(os.sched_getscheduler(given[0].worker.pid))

    hand.engine.supervisor.launch = noting  # type: ignore[method-assign]
    hand.tick(3)
    assert hand.events(seat) == [(0, "start"), (0, "killed"), (1, "restarted")]
    assert seat.worker is not None
    policies.append(os.sched_getscheduler(seat.worker.pid))
    assert policies == [os.SCHED_IDLE, os.SCHED_OTHER]


def test_too_much_memory_is_a_strike(deal: Deal) -> None:
    hand = deal(Steady())
    seat = hand.admit(bot_at(0, "x = [0] * 200_000_000"))
    hand.tick(2)
    assert len(seat.record.strikes) == 1
    assert seat.account.cash == 10_000.0


def test_a_bot_of_many_lines_starts_like_any_other(deal: Deal) -> None:
    """Its program is larger than a pipe."""
    hand = deal(Steady())
    lines = "\n".join(f"    x{n} = [{n}, '{n:030}', {n}.5]" for n in range(1000))
    source = f"{bot_source(BUY)}\ndef large():\n{lines}\n    return 1\n"
    checked = hand.pool.check(source.encode())
    assert checked.accepted, checked.violations
    seat = hand.admit(source)
    assert len(seat.program) > 65_536
    hand.tick(2)
    assert seat.account.sizes() == {"BTCUSDT": 1.0}


def test_a_paused_bot_is_not_asked_but_marked_and_its_orders_fill(deal: Deal) -> None:
    hand = deal(Steady({"BTCUSDT": 100.0}, {"BTCUSDT": 100.0}, {"BTCUSDT": 150.0}))
    seat = hand.admit(bot_source(f"ctx.log('asked')\n{BUY}"))
    hand.tick()
    hand.engine.roster.pause(seat.id)
    hand.tick(3)
    assert seat.account.sizes() == {"BTCUSDT": 1.0}
    assert seat.equity == 10_050.0
    hand.engine.roster.resume(seat.id)
    hand.tick()
    assert hand.events(seat) == [(0, "start"), (1, "paused"), (4, "resumed")]
    assert messages(hand, "INFO") == ["asked"] * 2
    assert hand.rows("SELECT status FROM entries WHERE season_id = :season") == [("active",)]


def test_a_retired_bot_leaves_the_board_and_its_queued_orders_are_cancelled(deal: Deal) -> None:
    hand = deal(Steady())
    seat = hand.admit(bot_source(BUY))
    hand.tick()
    hand.engine.roster.retire(seat.id)
    hand.tick(10)
    assert hand.rows(ORDER_ENDS) == [(0, "cancelled")]
    assert hand.events(seat) == [(0, "start"), (1, "retired")]
    assert hand.rows("SELECT tick FROM equity WHERE season_id = :season") == [(0,)]
    for change in (hand.engine.roster.pause, hand.engine.roster.resume):
        with pytest.raises(ConflictError, match="retired"):
            change(seat.id)


@pytest.mark.system
def test_orders_of_a_bot_that_is_quarantined_while_it_loads_are_cancelled(deal: Deal) -> None:
    hand = deal(Steady())
    top = "def init(ctx):\n    if ctx.get_price('BTCUSDT') is not None:\n        while True: pass\n"
    seat = hand.admit(bot_at(0, BUY).replace("calls = -1", f"calls = -1\n{top}"))
    seat.record.restarts = 2
    hand.tick()
    assert len(seat.pending) == 1
    hand.engine.supervisor.end(seat)
    seat.life = Life.RESTARTING
    hand.tick()
    assert seat.status == "quarantined"
    assert hand.rows(ORDER_ENDS) == [(0, "cancelled")]
    assert (seat.pending, seat.account.positions) == ([], {})


@pytest.fixture
def mortal(file_database: Database) -> Iterator[Hand]:
    """An engine whose pool is its own, so that its zygote may be killed."""
    hands: list[Hand] = []
    pool = Pool(RUNTIME, LIMITS, on_zygote_death=lambda: hands[0].engine.zygote_died())  # noqa: PLW0108
    pool.start()
    hands.append(Hand(file_database, pool, synthetic, plan_of()))
    yield hands[0]
    hands[0].engine.stop()
    pool.stop()


COUNTER = "global n\nn += 1\nctx.log(f'tick {n}')"


@pytest.mark.system
def test_bots_survive_the_end_of_the_process_that_starts_them(mortal: Hand, caplog: pytest.LogCaptureFixture) -> None:
    seat = mortal.admit(bot_source(f"{COUNTER}\n{BUY.replace('1.0', '0.001')}", top="n = 0"))
    mortal.tick(5)
    before = seat.account
    assert mortal.pool.zygote_pid is not None
    os.kill(mortal.pool.zygote_pid, signal.SIGKILL)
    until(mortal.engine._zygote_died.is_set, "the death is known")
    with caplog.at_level(logging.ERROR):
        mortal.tick()
    assert "started again" in caplog.text
    mortal.engine.wait_for_bots()
    assert seat.status == "active"
    assert not seat.record.strikes
    assert seat.account.size_of("BTCUSDT") == pytest.approx(before.size_of("BTCUSDT") + 0.001)
    mortal.tick(2)
    assert messages(mortal, "INFO")[-2:] == ["tick 6", "tick 7"]


@pytest.mark.system
def test_a_death_in_the_middle_of_a_tick_costs_no_strike(mortal: Hand) -> None:
    seat = mortal.admit(bot_source())
    mortal.tick(3)
    pid, worker = mortal.pool.zygote_pid, seat.worker
    assert pid is not None
    assert worker is not None
    # Stopped, so that it is out for as long as this test wants.
    os.kill(worker.pid, signal.SIGSTOP)
    ticking = threading.Thread(target=mortal.tick)
    ticking.start()
    until(lambda: worker.waiting_for is not None, "it has been asked")
    os.kill(pid, signal.SIGKILL)
    ticking.join(60)
    assert not ticking.is_alive()
    until(mortal.engine._zygote_died.is_set, "the death is known")
    assert not seat.record.strikes
    mortal.tick(2)
    mortal.engine.wait_for_bots()
    assert seat.status == "active"
    assert not seat.record.strikes
