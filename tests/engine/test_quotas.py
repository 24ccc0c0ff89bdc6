"""What one bot may write in a day: fills, rows and log; the rest is counted and said, and proofs still hold."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from arena import __version__
from arena.core.exchange import Rules
from arena.engine.backtest import report
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.run import BotSource, backtest
from arena.engine.live.memory_budget import budget, memory_of
from arena.engine.live.roster import BOT_NEEDS
from arena.engine.replay.proof import REPRODUCED, verify
from arena.errors import ConflictError
from arena.store.bundle import read_bundle
from arena.store.seasons import NewBot, enrol
from sandbox.pool import Pool
from tests.arenas import BUYER, bot_source, running, settings_for, until
from tests.engine.conftest import Hand, Steady, plan_of

Deal = Callable[..., Hand]
MANY = 'for _ in range(10): ctx.submit_order("BTCUSDT", "BUY", 0.001)'
DAY = 1_700_006_400.0  # midnight, UTC
START = 1_700_000_000.0


def note(hand: Hand, name: str = "Tester") -> str | None:
    ((found,),) = hand.rows(
        "SELECT s.note FROM standings s JOIN entries e ON e.bot_id = s.bot_id "
        f"WHERE s.season_id = :season AND e.bot_name = '{name}'"
    )
    return None if found is None else str(found)


def count(hand: Hand, query: str) -> int:
    return int(hand.rows(f"SELECT count(*) FROM {query}")[0][0])


def prove(hand: Hand, bot_id: str) -> str:
    proof = verify(hand.pool, read_bundle(hand.database, hand.season_id, bot_id, __version__))
    return f"{proof.status} {proof.findings}"


def test_fills_beyond_the_days_number_are_rejected_and_the_next_day_begins_anew(deal: Deal) -> None:
    hand = deal(Steady(), plan_of(interval=1600.0, feed="binance", fills_a_day=25))
    seat = hand.admit(bot_source(MANY))
    hand.tick(4)
    assert (count(hand, "trades"), seat.account.fills) == (25, 25)
    reasons = {reason for (reason,) in hand.rows("SELECT reason FROM orders WHERE status = 'rejected'")}
    assert reasons == {"Daily limit of 25 fills reached"}
    # Midnight is at the fifth tick.
    assert START + 4 * 1600.0 == DAY
    hand.tick()
    assert (count(hand, "trades"), seat.account.fills) == (35, 10)
    hand.restart()
    seat = hand.engine.roster.get(seat.id)
    assert (seat.account.fills, seat.life) == (10, "active")
    hand.tick(6)
    assert count(hand, "trades") == 50
    assert note(hand) == "Daily limit of 25 fills reached"
    assert prove(hand, seat.id) == f"{REPRODUCED} []"


def test_a_bot_that_is_out_of_fills_and_ordered_on_catches_up_after_a_restart(deal: Deal) -> None:
    hand = deal(Steady(), plan_of(feed="binance", fills_a_day=7))
    seat = hand.admit(bot_source(MANY))
    hand.tick(5)
    before = seat.account
    hand.restart()
    seat = hand.engine.roster.get(seat.id)
    assert (seat.account, seat.life) == (before, "active")
    hand.tick(3)
    assert prove(hand, seat.id) == f"{REPRODUCED} []"


def test_run_ahead_and_lockstep_agree_on_a_limit_of_fills(calm: Pool) -> None:
    rows = np.column_stack([np.arange(60) * 7200.0, 100.0 + np.arange(60) % 7])
    rules = Rules(fills_a_day=15)
    source = bot_source('ctx.submit_order("BTCUSDT", "BUY", 0.001)\nctx.submit_order("BTCUSDT", "SELL", 0.0005)')
    market = RecordedMarket(("BTCUSDT",), rows)
    played = [backtest(calm, [BotSource("a", source.encode())], market, rules, run=run) for run in (512, 1)]
    assert [results[0].mode for results in played] == ["run-ahead", "lockstep"]
    assert report.order_rows(played[0]) == report.order_rows(played[1])
    fills = Counter(int(row["fill_time"] // 86400) for row in report.order_rows(played[0]) if row["fill_time"])
    assert fills == dict.fromkeys(range(5), 15)


def test_orders_rejected_at_the_next_tick_are_kept_up_to_a_thousand_a_day_and_counted_beyond(deal: Deal) -> None:
    hand = deal(Steady())
    source = 'for _ in range(50): ctx.submit_order("BTCUSDT", "SELL", 1.0)\nctx.submit_order("BTCUSDT", "HOLD", 1.0)'
    seat = hand.admit(bot_source(source))
    hand.tick(15)
    hand.restart()
    hand.tick(16)
    seat = hand.engine.roster.get(seat.id)
    rejected = 31 + 30 * 50
    assert seat.score.rejected == rejected
    assert count(hand, "orders WHERE status = 'rejected'") == 1000
    # Those of the last tick still wait for the next one.
    assert count(hand, "orders WHERE status = 'pending'") == 50
    assert prove(hand, seat.id).startswith(REPRODUCED)
    assert f"{rejected - 1000:,} more rejected orders today are counted, not listed" in str(note(hand))


def test_log_beyond_the_days_bytes_is_counted_and_said_once(deal: Deal) -> None:
    hand = deal(Steady())
    hand.engine._log_bytes = 2000
    hand.admit(bot_source("ctx.log('x' * 68)", name="Talker"))
    hand.admit(bot_source("ctx.log('quiet')", name="Quiet"))
    hand.tick(31)
    lines = [row[0] for row in hand.rows(
        "SELECT message FROM logs l JOIN entries e ON e.bot_id = l.bot_id WHERE bot_name = 'Talker' ORDER BY l.id"
    )]  # fmt: skip
    said = "Daily limit of 2,000 bytes of log reached: further lines of today are counted, not kept"
    assert lines == ["x" * 68] * 20 + [said]
    assert note(hand, "Talker") == "11 more log lines today are counted, not kept"
    assert note(hand, "Quiet") is None


def test_a_bot_whose_orders_are_all_rejected_says_so_until_one_fills(deal: Deal) -> None:
    hand = deal(Steady())
    hand.admit(bot_source('ctx.submit_order("BTCUSDT", "BUY", 1e6)', name="Poor"))
    late = 'global n\nn += 1\nctx.submit_order("BTCUSDT", "BUY", 0 if n < 13 else 1)'
    hand.admit(bot_source(late, name="Late", top="n = 0"))
    hand.tick(11)
    assert str(note(hand, "Late")).startswith("all 11 orders rejected, the last: Invalid order size: 0")
    hand.tick(10)
    assert note(hand, "Late") is None
    poor = "all 20 orders rejected, the last: Bot 'Poor' has insufficient cash: $10000.00 < $100000000.00"
    assert note(hand, "Poor") == poor
    seat = next(seat for seat in hand.engine.roster.seats() if seat.name == "Poor")
    assert seat.score.rejected == 20


def test_a_bot_that_raised_at_every_tick_says_so_until_a_good_one(deal: Deal) -> None:
    hand = deal(Steady())
    hand.admit(bot_source("1 / 0", name="Never"))
    hand.admit(bot_source("global n\nn += 1\nif n < 15: 1 / 0", name="Soon", top="n = 0"))
    hand.admit(bot_source("global n\nn += 1\nif n > 2: 1 / 0", name="Once", top="n = 0"))
    hand.tick(11)
    said = "raised at every one of 11 ticks: division by zero (ZeroDivisionError, line "
    assert str(note(hand, "Never")).startswith(said)
    assert str(note(hand, "Soon")).startswith(said)
    assert note(hand, "Once") is None
    hand.restart()
    hand.tick(10)
    assert str(note(hand, "Never")).startswith("raised at every one of 21 ticks")
    assert (note(hand, "Soon"), note(hand, "Once")) == (None, None)


# -- memory ------------------------------------------------------------------------------------------------


def test_workers_are_the_first_to_end_where_memory_runs_out(deal: Deal) -> None:
    seat = (hand := deal(Steady())).admit(bot_source())
    hand.tick()
    assert seat.worker is not None
    told = Path(f"/proc/{seat.worker.pid}/oom_score_adj").read_text()
    assert int(told) > int(Path("/proc/self/oom_score_adj").read_text())


def test_a_bot_is_refused_where_the_memory_for_all_is_used_up(deal: Deal) -> None:
    hand = deal(Steady())
    seat = hand.admit(bot_source("pass", name="First", top="kept = [0] * 4_000_000"))
    hand.tick(2)
    assert seat.worker is not None
    used = memory_of([seat.worker.pid], hand.engine.supervisor.zygote_pid)
    assert used > 30_000_000
    hand.engine.roster._memory = used + BOT_NEEDS // 2
    with pytest.raises(ConflictError, match=r"memory for bots is used up .*BOTS_MEMORY_MB.*retire a bot"):
        hand.admit(bot_source("pass", name="Second"))
    hand.engine.roster.retire(seat.id)
    assert hand.admit(bot_source("pass", name="Second")).name == "Second"


def test_the_memory_of_all_bots_is_the_setting_or_a_share_of_the_machine() -> None:
    assert budget(512) == 512 << 20
    assert 0 < budget(0) < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


# -- disk, seasons, submissions ----------------------------------------------------------------------------


@pytest.mark.system
def test_a_full_disk_is_said_by_its_name(tmp_path: Path) -> None:
    with running(settings_for(tmp_path), tmp_path) as arena:
        arena.ticks(1)
        journal = arena.arena.engine._journal
        journal._disk, journal._min_free = tmp_path, 1 << 62
        notes = until(lambda: [n for n in arena.get("/status")["notes"] if "clock stands" in n], "the note")
        assert "the disk is full" in notes[0]
        assert not [n for n in arena.get("/status")["notes"] if "No prices" in n]
        journal._min_free = 0
        arena.ticks(2)
        assert not [n for n in arena.get("/status")["notes"] if "clock stands" in n]


def test_a_closed_season_takes_no_strategies_and_says_what_to_do(deal: Deal) -> None:
    hand = deal(Steady())
    hand.tick(2)
    hand.engine.finish()
    with pytest.raises(ConflictError, match=r"is closed and takes no more strategies.*arena season new"):
        hand.admit(bot_source(BUYER))
    assert count(hand, "bots") == 0


def test_a_submission_is_admitted_once_whatever_was_written_about_it(deal: Deal) -> None:
    hand = deal(Steady())
    new = NewBot("Bot", "local", "generated", "x", "hash", ("BTCUSDT",), submission_id="s-1")
    first = enrol(hand.database, hand.season_id, new, tick=0)
    again = enrol(hand.database, hand.season_id, new, tick=5)
    assert (first.created, again.created, again.bot.id) == (True, False, first.bot.id)
    with hand.database.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM entries")).scalar() == 1


@pytest.mark.system
def test_the_status_and_the_board_tell_the_commitment_and_not_the_seed(tmp_path: Path) -> None:
    with running(settings_for(tmp_path), tmp_path) as arena:
        arena.ticks(1)
        told = (arena.get("/status")["season"], arena.get("/seasons")["items"][0], arena.get("/leaderboard")["season"])
        for season in told:
            assert len(season["seed_sha256"]) == 64
            assert (season["seed"], season["predictable"]) == (None, False)
        closed = arena.api("POST", "/seasons/close")
        assert closed.status_code == 200
        assert arena.get("/seasons")["items"][0]["seed"] is not None
    with running(settings_for(tmp_path, synthetic_seed=3), tmp_path) as arena:
        assert arena.get("/leaderboard")["season"]["predictable"] is True
        assert "predictable" in arena.get("/status")["feeds"]["synthetic"]["detail"]
