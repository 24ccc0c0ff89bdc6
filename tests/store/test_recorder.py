"""A tick is written whole or not at all, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from arena.store import queries
from arena.store.bulk import table_of
from arena.store.models import BotTick, Entry, EquityRow, LogRow, OrderRow, Standing, Tick, Trade
from arena.store.recorder import LOG_RING_BYTES, Recorder, TickWrites
from arena.store.recovered import recover, trades_before
from tests.store.conftest import Books

Row = dict[str, Any]


def common(books: Books, bot_id: str) -> Row:
    return {"season_id": books.season.id, "bot_id": bot_id}


def standing(books: Books, bot_id: str, tick: int, equity: float) -> Row:
    return {
        **common(books, bot_id), "rank": 1, "cash": equity, "equity": equity, "return_pct": 0.0,
        "realized_pnl": 0.0, "unrealized_pnl": 0.0, "max_drawdown_pct": 0.0, "sharpe": None,
        "win_rate_pct": None, "turnover": 0.0, "exposure_pct": 0.0, "fees": 0.0, "trades": 0, "rejected": 0,
        "errors": 0, "tick": tick, "as_of": float(tick), "positions": {}, "score": {"ticks": tick},
        "periods_a_year": None, "note": None,
        "periods": 0, "excess_pct": None, "verdict": "not yet", "verdict_next": "not yet", "tie_first": 1,
        "tie_last": 2, "batches": 0, "ticks_to_separate": None, "account": [equity, {}, 0.0, 0.0, -1, 0],
    }  # fmt: skip


def writes(books: Books, recorder: Recorder, bot_id: str, n: int) -> TickWrites:
    """Return everything that a tick can write."""
    same = common(books, bot_id)
    number = recorder.next_order_id()
    found = TickWrites(tick={"season_id": books.season.id, "n": n, "time": float(n), "prices": {"BTCUSDT": 1.5}})
    found.orders.append({
        **same, "id": number, "time": float(n), "bot_name": "A", "symbol": "BTCUSDT", "side": "BUY",
        "size": 1.0, "status": "pending", "reason": None, "fill_time": None, "fill_price": None, "fill_size": None,
        "tick": n,
    })  # fmt: skip
    found.order_ends.append({
        "id": number, "status": "filled", "fill_time": n + 1.0, "fill_price": 1.5, "fill_size": 1.0,
    })  # fmt: skip
    found.trades.append({
        **same, "time": float(n), "bot_name": "A", "symbol": "BTCUSDT", "side": "BUY", "size": 1.0,
        "price": 1.5, "cash_after": 9998.5, "position_after": 1.0, "fee": 0.0, "realized_pnl": 0.0, "tick": n,
        "order_id": number,
    })  # fmt: skip
    found.equity.append({
        **same, "time": float(n), "bot_name": "A", "equity": 1e4, "realized_pnl": 0.0, "unrealized_pnl": 0.0,
        "cash": 9998.5, "tick": n,
    })  # fmt: skip
    found.standings.append(standing(books, bot_id, n, 1e4))
    found.bot_ticks.append({"season_id": books.season.id, "tick": n, "bot_id": bot_id, "event": "late", "detail": ""})
    found.logs.append({**same, "tick": n, "time": float(n), "level": "INFO", "message": "hello"})
    found.entries.append({**same, "errors": 1, "last_error": "once"})
    return found


MODELS = (Tick, OrderRow, Trade, EquityRow, Standing, BotTick, LogRow)


def counts(books: Books) -> dict[str, int]:
    with books.database.connect() as connection:
        return {
            model.__name__: connection.execute(select(func.count()).select_from(table_of(model))).scalar() or 0
            for model in MODELS
        }


def test_a_tick_is_written_whole(books: Books) -> None:
    bot = books.admit("A")
    recorder = Recorder(books.database)
    recorder.record(writes(books, recorder, bot.id, 0))
    assert set(counts(books).values()) == {1}
    (order,), _ = queries.page(books.database, OrderRow, books.season.id, bot_id=bot.id)
    assert (order["status"], order["fill_price"], order["fill_size"]) == ("filled", 1.5, 1.0)
    row = queries.bot_row(books.database, books.season.id, bot.id)
    assert (row["errors"], row["last_error"], row["equity"]) == (1, "once", 1e4)


@pytest.mark.parametrize("kind", ["trades", "equity", "standings", "bot_ticks", "logs", "orders"])
def test_one_row_that_fails_leaves_nothing_of_its_tick(books: Books, kind: str) -> None:
    bot = books.admit("A")
    recorder = Recorder(books.database)
    recorder.record(writes(books, recorder, bot.id, 0))
    before = counts(books)
    broken = writes(books, recorder, bot.id, 1)
    rows = getattr(broken, kind)
    required = "event" if kind == "bot_ticks" else "bot_id"
    rows.append({**rows[0], required: None, **({"id": recorder.next_order_id()} if kind == "orders" else {})})
    with pytest.raises(SQLAlchemyError):
        recorder.record(broken)
    assert counts(books) == before
    assert recover(books.database, books.season.id).last_tick.n == 0


def test_a_tick_that_could_not_be_written_can_be_written_later(books: Books) -> None:
    bot = books.admit("A")
    recorder = Recorder(books.database)
    tick = writes(books, recorder, bot.id, 0)
    good = tick.trades[0]
    tick.trades[0] = {**good, "symbol": None}
    with pytest.raises(SQLAlchemyError):
        recorder.record(tick)
    tick.trades[0] = good
    recorder.record(tick)
    assert set(counts(books).values()) == {1}


def test_the_same_tick_cannot_be_written_twice(books: Books) -> None:
    bot = books.admit("A")
    recorder = Recorder(books.database)
    recorder.record(writes(books, recorder, bot.id, 0))
    with pytest.raises(SQLAlchemyError):
        recorder.record(writes(books, recorder, bot.id, 0))
    assert set(counts(books).values()) == {1}


def test_standings_are_one_row_a_bot_and_always_the_newest(books: Books) -> None:
    first, second = books.admit("A"), books.admit("B")
    recorder = Recorder(books.database)
    for tick, bots in ((0, [first]), (10, [first, second]), (20, [second, first])):
        rows = [standing(books, bot.id, tick, 1e4 + tick + place) for place, bot in enumerate(bots)]
        recorder.record(TickWrites(standings=rows))
    found = recover(books.database, books.season.id).standings
    assert {bot.id: found[bot.id].equity for bot in (first, second)} == {
        first.id: 10_021.0,
        second.id: 10_020.0,
    }
    assert {row.tick for row in found.values()} == {20}
    assert found[first.id].score == {"ticks": 20}


def test_order_ids_go_on_after_a_restart(books: Books) -> None:
    bot = books.admit("A")
    recorder = Recorder(books.database)
    for n in range(3):
        recorder.record(writes(books, recorder, bot.id, n))
    assert Recorder(books.database).next_order_id() == 4


def test_rows_come_back_in_the_order_they_went_in(books: Books) -> None:
    bot = books.admit("A")
    recorder = Recorder(books.database)
    for n in range(5):
        recorder.record(writes(books, recorder, bot.id, n))
    trades = trades_before(books.database, books.season.id, bot.id, 5)
    assert [trade.tick for trade in trades] == list(range(5))
    assert [trade.id for trade in trades] == sorted(trade.id or 0 for trade in trades)


def log_size(books: Books, bot_id: str) -> int:
    table = table_of(LogRow)
    query = select(table.c.message).where(table.c.bot_id == bot_id)
    with books.database.connect() as connection:
        return sum(len(message.encode()) for (message,) in connection.execute(query))


@pytest.mark.parametrize("letter", ["x", "\N{SNOWMAN}"])
def test_a_bots_log_is_a_ring_of_one_mebibyte(books: Books, letter: str) -> None:
    loud, quiet = books.admit("A"), books.admit("B")
    recorder = Recorder(books.database)
    quiet_row = {**common(books, quiet.id), "tick": 0, "time": 0.0, "level": "INFO", "message": "only line"}
    recorder.record(TickWrites(logs=[quiet_row]))
    text = letter * (500 // len(letter.encode()))
    for n in range(26):
        same = common(books, loud.id)
        rows = [{**same, "tick": n, "time": float(n), "level": "INFO", "message": f"{n:05} {text}"} for _ in range(100)]
        recorder.record(TickWrites(logs=rows))
        assert log_size(books, loud.id) <= LOG_RING_BYTES
    newest, _ = queries.page(books.database, LogRow, books.season.id, bot_id=loud.id, limit=1)
    assert newest[0]["message"].startswith("00025")
    assert log_size(books, loud.id) > LOG_RING_BYTES // 4
    kept, _ = queries.page(books.database, LogRow, books.season.id, bot_id=quiet.id)
    assert [row["message"] for row in kept] == ["only line"]


def test_the_ring_goes_on_after_a_restart(books: Books) -> None:
    bot = books.admit("A")
    row = {**common(books, bot.id), "tick": 0, "time": 0.0, "level": "INFO", "message": "x" * 500}
    for _ in range(6):
        Recorder(books.database).record(TickWrites(logs=[dict(row) for _ in range(500)]))
    assert log_size(books, bot.id) <= LOG_RING_BYTES


def test_a_write_to_an_unknown_bot_changes_nobody(books: Books) -> None:
    bot = books.admit("A")
    Recorder(books.database).record(TickWrites(entries=[{**common(books, "nobody"), "errors": 9}]))
    table = table_of(Entry)
    with books.database.connect() as connection:
        assert connection.execute(select(table.c.errors).where(table.c.bot_id == bot.id)).scalar() == 0
