"""The clock goes on at once after a stop; bots join as their memories are back, and the journal says since when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from arena.engine.backtest.account import RecordedMarket
from arena.engine.live.sources import ReplaySource
from arena.engine.replay.proof import REPRODUCED, verify
from arena.engine.replay.replayer import TickSpans, worker_lifetimes
from arena.engine.replay.tape import BLOCK, TickTape
from arena.engine.seat import Life
from arena.errors import StoreError
from arena.store.bundle import StoredRecord
from arena.store.models import BotTick
from arena.store.recorder import TickWrites
from arena.store.recovered import recover
from sandbox.pool import Pool
from sandbox.process.limits import Limits
from tests.arenas import bot_source
from tests.engine.conftest import SYMBOLS, Hand, Steady, plan_of
from tests.engine.test_replay import played

Deal = Callable[..., Hand]
BOTS = Path(__file__).parents[2] / "bots"
# What it orders depends on every tick that it was asked at.
COUNTER = bot_source(
    'global n\nn += 1\nctx.log(f"call {n}")\nctx.submit_order("BTCUSDT", "BUY" if n % 3 else "SELL", 0.001 * n)',
    name="Counter", top="n = 0",
)  # fmt: skip


@pytest.fixture(scope="module")
def plain() -> Iterator[Pool]:
    """A patient pool whose bots have no function of a test among their globals, which could not be saved."""
    found = Pool("arena.runtime.bot:BotRuntime", Limits(tick_cpu_soft=5.0, tick_cpu_hard=20.0, uid_base=34_000))
    found.start()
    yield found
    found.stop()


def begun_again(hand: Hand) -> None:
    """Stop and begin again; nothing that the recovery hands over is done before `wait_for_bots`."""
    hand.engine.stop()
    hand.begin(wait=False)


def save_memories(hand: Hand) -> None:
    hand.snapshot_minutes = 10.0
    hand.restart()


def proofs(hand: Hand) -> list[str]:
    return [
        verify(hand.pool, StoredRecord(hand.database, hand.season_id, seat.id)).sentence
        for seat in hand.engine.roster.seats()
    ]


def calls(hand: Hand) -> list[tuple[int, str]]:
    return hand.rows(  # type: ignore[return-value]
        "SELECT tick, message FROM logs WHERE season_id = :season AND message LIKE 'call %' ORDER BY id"
    )


def test_the_clock_goes_on_while_bots_recover_and_every_record_is_still_reproduced(deal: Deal) -> None:
    hand = deal()
    for source in [COUNTER, *((BOTS / f"{name}.py").read_text() for name in ("example_random", "example_trend"))]:
        hand.admit(source)
    hand.tick(23)
    accounts = {seat.name: seat.account for seat in hand.engine.roster.seats()}
    begun_again(hand)
    seats = hand.engine.roster.seats()
    assert {seat.name: seat.account for seat in seats} == accounts
    assert {seat.status for seat in seats} == {"recovering"}
    hand.tick(3)
    hand.engine.wait_for_bots()
    assert {seat.status for seat in seats} == {"active"}
    hand.tick(9)
    for seat in seats:
        assert hand.events(seat) == [(0, "start"), (23, "recovering"), (26, "recovered")]
    assert calls(hand)[22:24] == [(22, "call 23"), (26, "call 24")]
    assert all(words.startswith(REPRODUCED) for words in proofs(hand)), proofs(hand)


def test_a_second_stop_while_bots_recover_loses_nothing(deal: Deal) -> None:
    hand = deal()
    seat = hand.admit(COUNTER)
    hand.tick(12)
    for _ in range(2):
        begun_again(hand)
        hand.tick(2)
    begun_again(hand)
    hand.engine.wait_for_bots()
    hand.tick(4)
    assert hand.events(seat) == [(0, "start"), (12, "recovering"), (16, "recovered")]
    assert calls(hand)[-4:] == [(16, "call 13"), (17, "call 14"), (18, "call 15"), (19, "call 16")]
    assert proofs(hand)[0].startswith(REPRODUCED), proofs(hand)


def test_a_recovering_bot_can_be_paused_resumed_and_retired(deal: Deal) -> None:
    hand = deal()
    seat, gone = hand.admit(COUNTER), hand.admit(bot_source(name="Gone"))
    hand.tick(5)
    begun_again(hand)
    hand.tick()
    roster = hand.engine.roster
    roster.pause(seat.id)
    roster.retire(gone.id)
    hand.tick()
    assert roster.get(seat.id).status == "paused"
    roster.resume(seat.id)
    assert roster.get(seat.id).status == "recovering"
    hand.tick()
    hand.engine.wait_for_bots()
    hand.tick(2)
    assert roster.get(gone.id).worker is None
    assert calls(hand)[-2:] == [(8, "call 6"), (9, "call 7")]
    assert all(words.startswith(REPRODUCED) for words in proofs(hand)), proofs(hand)


@pytest.mark.system
def test_a_restart_begins_at_the_newest_snapshot(deal: Deal, plain: Pool) -> None:
    hand = deal(Steady(*({"BTCUSDT": 100.0 + n} for n in range(40))), pool=plain)
    body = 'global total\ntotal += tick["prices"]["BTCUSDT"]\nctx.log(f"call {total}")'
    save_memories(hand)
    hand.admit(bot_source(body, top="total = 0.0"))
    hand.tick(10)
    hand.engine.stop()
    assert hand.rows("SELECT tick, problem FROM snapshots WHERE season_id = :season") == [(9, "")]
    # Who replayed from the beginning would see another price.
    with hand.database.begin() as connection:
        connection.execute(text("UPDATE ticks SET prices = :prices WHERE n = 4"), {"prices": '{"BTCUSDT": 9999.0}'})
    hand.begin()
    hand.tick()
    total = sum(100.0 + n for n in range(11))
    assert calls(hand)[-1] == (10, f"call {total}")


@pytest.mark.parametrize("change", ["data = NULL", "sha256 = ''", "runtime = 'another'", "data = zeroblob(100)"])
def test_a_snapshot_that_may_not_be_used_costs_a_replay_and_nothing_else(deal: Deal, plain: Pool, change: str) -> None:
    hand = deal(pool=plain)
    save_memories(hand)
    hand.admit(COUNTER)
    hand.tick(8)
    hand.engine.stop()
    assert hand.rows("SELECT tick, problem FROM snapshots WHERE season_id = :season") == [(7, "")]
    if "zeroblob" in change:
        # Bytes that match their hash and are no snapshot: the worker refuses them.
        change = "data = :data, sha256 = 'cd00e292c5970d3c5e2f0ffa5171e555bc46bfc4faddfb4a418b6840b86e79a3'"
    with hand.database.begin() as connection:
        connection.execute(text(f"UPDATE snapshots SET {change}"), {"data": bytes(100)} if ":data" in change else {})
    hand.begin()
    hand.tick(2)
    assert calls(hand)[-2:] == [(8, "call 9"), (9, "call 10")]
    assert proofs(hand)[0].startswith(REPRODUCED)


def test_a_restart_reads_only_the_trades_since_the_last_standings(deal: Deal) -> None:
    hand = deal()
    seat = hand.admit(bot_source('ctx.submit_order("BTCUSDT", "BUY", 0.0001)'))
    hand.tick(38)
    found = recover(hand.database, hand.season_id)
    assert [trade.tick for trade in found.trades[seat.id]] == list(range(31, 38))
    before = seat.account
    hand.restart()
    assert hand.engine.roster.get(seat.id).account == before


def test_a_database_of_an_older_version_is_read_the_long_way(deal: Deal) -> None:
    hand = deal()
    seat = hand.admit(COUNTER)
    hand.tick(25)
    before, rejected = seat.account, seat.score.rejected
    with hand.database.begin() as connection:
        connection.execute(text("UPDATE standings SET account = NULL"))
        connection.execute(text("UPDATE entries SET rejected = NULL"))
        connection.execute(text("UPDATE board_summaries SET market = NULL"))
    hand.restart()
    (again,) = hand.engine.roster.seats()
    assert (again.account, again.score.rejected) == (before, rejected)
    hand.tick()
    assert proofs(hand)[0].startswith(REPRODUCED)


# -- replays -----------------------------------------------------------------------------------------------------


def recording(ticks: int) -> ReplaySource:
    rows = [[1_700_000_000.0 + 60 * n, 100.0 + n % 9] for n in range(ticks)]
    return ReplaySource(RecordedMarket(("BTCUSDT",), np.array(rows)))


def tables(hand: Hand) -> list[list[tuple[object, ...]]]:
    return [
        hand.rows(f"SELECT {columns} FROM {table} WHERE season_id = :season ORDER BY {order}")
        for table, columns, order in (
            ("ticks", "n, time", "n"),
            ("orders", "tick, side, size, status, reason, fill_time, fill_price, fill_size", "id"),
            ("trades", "tick, side, size, price, cash_after", "id"),
            ("equity", "tick, equity, cash", "tick"),
            ("standings", "rank, cash, equity, trades, rejected, tick", "rank"),
            ("entries", "orders_count, orders_digest, errors, rejected", "bot_id"),
            ("logs", "tick, message", "id"),
        )
    ]


def test_many_ticks_in_one_transaction_leave_what_single_ones_leave(deal: Deal) -> None:
    single = deal(recording(60), plan_of(feed="replay:single"))
    single.admit(COUNTER)
    single.engine.supervisor._deadline = None
    for n in range(60):
        single.engine.on_tick(n, 1_700_000_000.0 + 60 * n, last=n == 59)
    single.engine.finish()
    many = deal(recording(60), plan_of(feed="replay:many"))
    many.admit(COUNTER)
    many.engine.release()
    played(many)
    assert many.engine.market.n == 59
    assert tables(many) == tables(single)


def test_what_many_ticks_overwrite_is_written_as_it_ends(deal: Deal) -> None:
    hand = deal()
    seat = hand.admit(bot_source())
    recorder = hand.engine._journal.recorder
    owner = {"season_id": hand.season_id, "bot_id": seat.id}
    order = {
        "id": 1, "tick": 0, "time": 1.0, "bot_name": seat.name, "symbol": "BTCUSDT", "side": "BUY", "size": 1.0,
        "status": "pending", "reason": None, "fill_time": None, "fill_price": None, "fill_size": None, **owner,
    }  # fmt: skip
    first = TickWrites(
        {"season_id": hand.season_id, "n": 0, "time": 1.0, "prices": {}, "conditions": None},
        orders=[order, {**order, "id": 2}, {**order, "id": 3}], entries=[{**owner, "errors": 1}],
    )  # fmt: skip
    second = TickWrites(
        {"season_id": hand.season_id, "n": 1, "time": 2.0, "prices": {}, "conditions": None},
        order_ends=[{"id": 1, "status": "filled", "fill_time": 2.0, "fill_price": 3.0, "fill_size": 1.0}],
        orders_dropped=[3], entries=[{**owner, "errors": 2, "last_error": "so"}],
    )  # fmt: skip
    recorder.record(first, second)
    assert hand.rows("SELECT id, status, fill_price FROM orders WHERE season_id = :season ORDER BY id") == [
        (1, "filled", 3.0), (2, "pending", None),
    ]  # fmt: skip
    assert hand.rows("SELECT errors, last_error FROM entries WHERE season_id = :season") == [(2, "so")]


# -- spans, lives and the tape -----------------------------------------------------------------------------------


def test_spans_know_what_they_hold() -> None:
    spans = TickSpans()
    for first, end in ((3, 5), (5, 6), (9, 12), (11, 14), (20, 20)):
        spans.add(first, end)
    assert [tick for tick in range(25) if tick in spans] == [3, 4, 5, 9, 10, 11, 12, 13]
    assert (spans.end_at(4), spans.end_at(7), spans.end_at(13)) == (6, 7, 14)
    assert (spans.next_after(0, 99), spans.next_after(3, 99), spans.next_after(9, 99)) == (3, 9, 99)


def test_pauses_and_recoveries_that_overlap_are_one_absence() -> None:
    told = [
        (0, "start"), (4, "recovering"), (6, "paused"), (8, "recovered"), (11, "resumed"), (15, "paused"),
        (17, "recovering"), (20, "restarted"),
    ]  # fmt: skip
    events = [BotTick(season_id="s", bot_id="b", tick=tick, event=event) for tick, event in told]
    first, second = worker_lifetimes(events, 30)
    assert [tick for tick in range(31) if tick in first.unseen] == [*range(4, 11), *range(15, 20)]
    # It is still paused.
    assert (first.end, second.first) == (20, 20)
    assert [tick for tick in range(31) if tick in second.unseen] == list(range(20, 31))


def test_a_tape_reads_only_the_blocks_that_are_asked_for(deal: Deal) -> None:
    hand = deal()
    count = 2 * BLOCK + 10
    rows = [
        TickWrites({
            "season_id": hand.season_id, "n": n, "time": float(n), "prices": {"BTCUSDT": 1.0 + n},
            "conditions": {"barred": {"BTCUSDT": "so"}} if n == BLOCK + 5 else None,
        })
        for n in range(count)
    ]  # fmt: skip
    hand.engine._journal.recorder.record(*rows)
    tape = TickTape(hand.database, hand.season_id, ("BTCUSDT",), count - 1)
    newest = tape.since(count - 3)
    assert (newest.base, len(newest.market)) == (2 * BLOCK, 10)
    middle = tape.since(BLOCK)
    assert middle.base == BLOCK
    assert middle.market.prices(7) == {"BTCUSDT": 1.0 + BLOCK + 7}
    assert middle.market.conditions[5].barred == {"BTCUSDT": "so"}
    assert tape.since(BLOCK + 9) is middle
    with hand.database.begin() as connection:
        connection.execute(text("DELETE FROM ticks WHERE n = 3"))
    with pytest.raises(StoreError, match="Tick 3 is missing"):
        tape.since(0)


def test_a_tape_knows_the_last_price_of_what_has_none_any_more(deal: Deal) -> None:
    hand = deal()
    count = BLOCK + 20
    rows = [
        TickWrites({
            "season_id": hand.season_id, "n": n, "time": float(n), "conditions": None,
            "prices": {"BTCUSDT": 1.0 + n, **({"ETHUSDT": 7.0} if n < 5 else {})},
        })
        for n in range(count)
    ]  # fmt: skip
    hand.engine._journal.recorder.record(*rows)
    # Without a score point the ticks from the first one on tell it.
    tape = TickTape(hand.database, hand.season_id, SYMBOLS, count - 1)
    assert tape.since(BLOCK + 1).base == 0
    prices = {"BTCUSDT": 1.0, "ETHUSDT": 7.0}
    hand.engine._journal.recorder.record(TickWrites(score_points=[{
        "season_id": hand.season_id, "n": 0, "tick": BLOCK - 3, "time": 1.0, "prices": prices, "joined": [],
        "equities": b"",
    }]))  # fmt: skip
    past = TickTape(hand.database, hand.season_id, SYMBOLS, count - 1).since(BLOCK + 1)
    assert past.base == BLOCK
    assert past.market.last_prices(2) == {"BTCUSDT": 1.0 + BLOCK + 2, "ETHUSDT": 7.0}


def test_a_recovering_bot_that_is_quarantined_meanwhile_gets_no_worker(deal: Deal) -> None:
    hand = deal()
    seat = hand.admit(COUNTER)
    hand.tick(3)
    begun_again(hand)
    again = hand.engine.roster.get(seat.id)
    again.life = Life.QUARANTINED
    hand.engine.wait_for_bots()
    assert again.worker is None


def test_bots_whose_record_has_a_hole_start_afresh_with_their_accounts(
    deal: Deal, caplog: pytest.LogCaptureFixture
) -> None:
    hand = deal()
    hand.admit(COUNTER)
    hand.tick(12)
    account = hand.engine.roster.seats()[0].account
    hand.engine.stop()
    with hand.database.begin() as connection:
        connection.execute(text("DELETE FROM ticks WHERE n = 3"))
    hand.begin()
    (seat,) = hand.engine.roster.seats()
    assert "Tick 3 is missing" in caplog.text
    assert (seat.status, seat.account) == ("restarting", account)
    hand.tick(2)
    assert calls(hand)[-1][1] == "call 2"
