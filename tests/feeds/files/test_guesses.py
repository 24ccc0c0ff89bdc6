"""Every guess about a file is held against its cells: one reading fits, or a sentence names cells and the flag."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from arena.errors import MarketDataError
from arena.feeds.history import read_tapes

DAY = 1704067200  # 2024-01-01
OPEN, HIGH, LOW, CLOSE = (
    [100, 101, 102, 101, 103, 104],
    [102, 103, 103, 104, 105, 105],
    [99, 100, 100, 100, 102, 101],
    [101, 102, 101, 103, 104, 102],
)
DAYS = [f"2024-01-{15 + n}" for n in range(6)]
Read = Callable[..., dict[str, tuple[list[float], list[float]]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a file and return its series: by symbol the times and the prices."""

    def write_and_read(name: str, content: Any, *, symbol: str | None = "X", **told: str):
        path = tmp_path / name
        if isinstance(content, pl.DataFrame):
            content.write_parquet(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        tapes = read_tapes([f"{symbol}={path}" if symbol else str(path)], grid=None, **told)
        return {name: (t.tolist(), p.tolist()) for tape in tapes for name, (t, p) in tape.series.items()}

    return write_and_read


def table(head: str, rows: Sequence[Sequence[object]], sign: str = ",") -> str:
    return "\n".join([*([head] if head else []), *(sign.join(map(str, row)) for row in rows)]) + "\n"


def candles(order: str, *, backward: bool, unit: int = 1000) -> list[list[float]]:
    """Six candles whose columns stand in an order: time, open, high, low, close, volume, quote volume."""
    columns = [
        {
            "t": (DAY + 60 * n) * unit, "o": OPEN[n], "h": HIGH[n], "l": LOW[n], "c": CLOSE[n],
            "v": 3.5 + n, "q": 1000.5 + n,
        }
        for n in range(6)
    ]  # fmt: skip
    rows = [[column[key] for key in order] for column in columns]
    return rows[::-1] if backward else rows


MINUTES = [DAY + 60 * n for n in range(1, 7)]


@pytest.mark.parametrize("backward", [False, True], ids=["oldest first", "newest first"])
@pytest.mark.parametrize(
    "order",
    ["tohlcv", "tochlv", "tlhocv", "thlocv", "tqchlo", "tqchlov", "tochlvq", "tohlcvq", "lhocvqt"],
    ids=[
        "most",
        "Bitfinex, Jesse",
        "Coinbase",
        "high first",
        "Gate",
        "Gate, 7 columns",
        "KuCoin",
        "OKX, Bybit",
        "time last",
    ],
)
def test_the_numbers_tell_in_which_order_candles_stand(read, order, backward):
    rows = candles(order, backward=backward)
    expected = {"X": (MINUTES, CLOSE)}
    assert read("m.json", json.dumps(rows)) == expected
    assert read("m.json", json.dumps([[str(cell) for cell in row] for row in rows])) == expected
    assert read("m.jsonl", "\n".join(map(json.dumps, rows))) == expected
    assert read("m.csv", table("", rows)) == expected
    assert read("m.csv", table("", rows, ";")) == expected


def test_headerless_candles_with_iso_times_are_told_apart_as_well(read):
    rows = [(f"2024-01-01 00:0{n}:00", OPEN[n], CLOSE[n], HIGH[n], LOW[n], 5) for n in range(6)]
    assert read("m.csv", table("", rows)) == {"X": (MINUTES, CLOSE)}


def test_candles_that_are_flat_at_first_are_read_by_those_that_are_not(read):
    flat = [[(DAY + 60 * n) * 1000, 100, 100, 100, 100, 1] for n in range(400)]
    rows = [[(DAY + 60 * (400 + n)) * 1000, OPEN[n % 6], CLOSE[n % 6], HIGH[n % 6], LOW[n % 6], 1] for n in range(60)]
    [(_, prices)] = read("m.csv", table("", [*flat, *rows])).values()
    assert prices == [100] * 400 + [CLOSE[n % 6] for n in range(60)]


def test_a_header_whose_words_the_cells_contradict_is_a_question(read):
    rows = [(DAY + 60 * n, OPEN[n], HIGH[n], LOW[n], CLOSE[n]) for n in range(6)]
    with pytest.raises(MarketDataError, match=r"6 of 6 bars .*open 100 high 99 low 102 close 101.*--columns price="):
        read("m.csv", table("time,open,low,high,close", rows))
    assert read("m.csv", table("time,open,low,high,close", rows), columns="price=close")["X"][1] == CLOSE
    with pytest.raises(MarketDataError, match=r"bid is above the ask.*bid 102 ask 101"):
        read("q.csv", table("time,bid,ask", [(DAY + n, CLOSE[n] + 1, CLOSE[n]) for n in range(6)]))


def test_lists_that_are_candles_in_no_order_are_refused_with_their_cells(read):
    rows = [[DAY + 60 * n, 100 + (-1) ** n, 101 - (-1) ** n, 100.5 + n % 3, 101.5 - n % 2] for n in range(8)]
    with pytest.raises(MarketDataError, match=r"no four numbers are open, high, low and close.*--columns"):
        read("m.csv", table("", rows))


# Answers of venues and forms of pandas

RECORDS = [{"t": (DAY + 60 * n) * 1000, "o": OPEN[n], "h": HIGH[n], "l": LOW[n], "c": CLOSE[n]} for n in range(6)]
NAMED = [
    {"time": (DAY + 60 * n) * 1000, "open": OPEN[n], "high": HIGH[n], "low": LOW[n], "close": CLOSE[n]}
    for n in range(6)
]
LISTS = [[str(cell) for cell in row] for row in candles("tohlcv", backward=True)]
BY_COLUMN = {key: [record[key] for record in NAMED] for key in NAMED[0]}
PRICES = {key: cells for key, cells in BY_COLUMN.items() if key != "time"}


@pytest.mark.parametrize(
    "body",
    [
        {"code": "0", "msg": "", "data": LISTS},
        {"code": "200000", "data": [[str(c) for c in row] for row in candles("tochlvq", backward=True)]},
        {"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": LISTS}, "time": 1},
        {"results": RECORDS, "status": "OK", "queryCount": 6},
        {"s": "ok", **{key: [record[key] for record in RECORDS] for key in RECORDS[0]}},
        {"jsonrpc": "2.0", "result": {"ticks": BY_COLUMN["time"], **PRICES}},
        {"chart": {"result": [{"timestamp": BY_COLUMN["time"], "indicators": {"quote": [PRICES]}}]}},
        {"Response": "Success", "Data": {"Data": NAMED}},
        {"status": "ok", "data": [{**{k: v for k, v in r.items() if k != "time"}, "id": r["time"] // 1000, "amount": 1,
                                   "vol": 2, "count": 3} for r in NAMED][::-1]},
        NAMED,
        {key: {str(n): cell for n, cell in enumerate(cells)} for key, cells in BY_COLUMN.items()},
        {str(n): record for n, record in enumerate(NAMED)},
        {str(r["time"]): {k: v for k, v in r.items() if k != "time"} for r in NAMED},
        {k: {str(r["time"]): r[k] for r in NAMED} for k in ("open", "high", "low", "close")},
        {"columns": list(NAMED[0]), "index": list(range(6)), "data": [list(record.values()) for record in NAMED]},
        {"schema": {"fields": []}, "data": NAMED},
    ],
    ids=["OKX", "KuCoin", "Bybit", "Polygon", "by column", "Deribit", "Yahoo", "CryptoCompare", "HTX", "records",
         "columns", "index", "index of times", "columns by time", "split", "table"],
)  # fmt: skip
def test_answers_of_venues_and_forms_of_pandas_are_the_same_bars(read, body):
    assert read("m.json", json.dumps(body)) == {"X": (MINUTES, CLOSE)}


def test_a_symbol_that_an_answer_says_is_the_files(read):
    days = {d: {"1. open": "1", "2. high": "9", "3. low": "1", "4. close": str(n + 2)} for n, d in enumerate(DAYS)}
    body = {"Meta Data": {"2. Symbol": "IBM"}, "Time Series (Daily)": days}
    assert read("m.json", json.dumps(body), symbol=None)["IBM"][1] == [2, 3, 4, 5, 6, 7]


# Times


@pytest.mark.parametrize(
    "cells",
    [
        [f"202401010{n}00" for n in range(6)],
        [f"202401010{n}0000" for n in range(6)],
        [f"202401010{n}0000000" for n in range(6)],
        [f"2024-01-01 0{n}:00 AM".replace("00:00", "12:00") for n in range(6)],
        [f"2024-01-01 {n or 12:02}-AM" for n in range(6)],
        [f"01/01/2024 {n or 12}:00:00 AM" for n in range(6)],
        [f"2024-01-01T0{n}:00:00+00:00[UTC]" for n in range(6)],
        [f"2023-12-31 {19 + n}:00 EST" for n in range(5)] + ["2024-01-01 00:00 EST"],
        [f"1 Jan 2024 0{n}:00" for n in range(6)],
        ["2023-12-31 24:00", *(f"2024-01-01 0{n}:00" for n in range(1, 6))],
        [f"01/01/2024 {n or 12}:00 AM" if n < 3 else f"2024-01-01 0{n}:00:00" for n in range(6)],
        [f"2024-01-01 0{n}:00:00" if n < 3 else str(DAY + 3600 * n) for n in range(6)],
        [str(DAY + 3600 * n) for n in range(6)],
        [str((DAY + 3600 * n) * 10**9) for n in range(6)],
    ],
)  # fmt: skip
def test_a_column_of_times_is_read_whatever_its_spelling(read, cells):
    hours = [DAY + 3600 * (n + 1) for n in range(6)]
    rows = list(zip(cells, CLOSE, strict=True))
    assert read("m.csv", table("Date,Close", rows)) == {"X": (hours, CLOSE)}


@pytest.mark.parametrize(
    ("head", "clocks"),
    [
        ("Date,Hour,Close", [0, 1, 2, 3, 4, 23]),
        ("Date,Time,Close", [0, 100, 200, 300, 400, 2300]),
        ("Date,Time,Close", [0, 10000, 20000, 30000, 40000, 230000]),
        ("Date,Time,Close", ["00:00", "01:00", "02:00", "03:00", "04:00", "23:00"]),
        ("Date,Time,Close", ["12:00 AM", "1:00 AM", "2:00 AM", "3:00 AM", "4:00 AM", "11:00 PM"]),
        ("Date,Timestamp,Close", ["00:00:00", "01:00:00", "02:00:00", "03:00:00", "04:00:00", "23:00:00"]),
    ],
)
@pytest.mark.parametrize("day", ["2024-01-01", "20240101", "01/01/2024"])
def test_a_clock_beside_the_date_is_read_and_no_row_lost(read, head, clocks, day):
    rows = [(day, clock, price) for clock, price in zip(clocks, CLOSE, strict=True)]
    hours = [DAY + 3600 * (n + 1) for n in (0, 1, 2, 3, 4, 23)]
    assert read("m.csv", table(head, rows)) == {"X": (hours, CLOSE)}


def test_rows_are_never_collapsed_to_one_a_date(read):
    rows = [("2024-01-15", n // 3, n % 3 * 20, CLOSE[n], 1) for n in range(6)]
    with pytest.raises(MarketDataError, match=r"101 and 102 at 2024-01-15.*--columns time=.*'Session'"):
        read("m.csv", table("Date,Session,Part,Price,Size", rows))


@pytest.mark.parametrize("unit", [1, 1000, 10**6, 10**9])
@pytest.mark.parametrize("start", [-9 * 365 * 86400, 366 * 86400, 3 * 365 * 86400, DAY])
def test_one_unit_holds_for_a_file_before_1973_and_before_1970_too(read, unit, start):
    rows = [((start + 86400 * n) * unit, 1, 20, 1, n + 2) for n in range(12)]
    [(times, _)] = read("m.csv", table("time,open,high,low,close", rows)).values()
    assert times == [start + 86400 * (n + 1) for n in range(12)]


def test_milliseconds_from_1970_on_are_known_by_the_last_of_them(read):
    rows = [(86_400_000 * n, 1, 9, 1, 2) for n in range(3000)]
    [(times, _)] = read("m.csv", table("time,open,high,low,close", rows)).values()
    assert times == [86400 * (n + 1) for n in range(3000)]


def test_times_of_no_unit_are_refused_with_their_cells(read):
    rows = [(10**22 + n, n + 1) for n in range(6)]
    with pytest.raises(MarketDataError, match="1900 and 2100"):
        read("m.csv", table("time,close", rows))


@pytest.mark.parametrize(
    ("name", "hours"), [("Time (EET)", -3), ("Time (UTC+2)", -2), ("time_est", 5), ("Gmt time", 0), ("Time", 0)]
)
def test_a_zone_in_the_header_counts(read, name, hours):
    rows = [(f"2024-07-01 00:0{n}:00", CLOSE[n]) for n in range(6)]
    [(times, _)] = read("m.csv", table(f"{name},Close", rows)).values()
    assert times[0] == 1719792000 + hours * 3600 + 60


def test_a_told_zone_counts_with_its_summer_time(read):
    rows = [("2024-01-15 09:30:00", 1), ("2024-07-15 09:30:00", 2)]
    [(times, _)] = read("m.csv", table("time,price", rows), zone="America/New_York").values()
    assert times == [1705329000, 1721050200]
    with pytest.raises(MarketDataError, match="no zone"):
        read("m.csv", table("time,price", rows), zone="Middle/Earth")


# A price is never known before it exists


@pytest.mark.parametrize("name", ["DAT_ASCII_EURUSD_M1_202401.csv", "any.csv"])
def test_histdatas_bars_start_at_their_label_in_new_yorks_winter_time(read, name):
    rows = [(f"20240701 170{n}00", OPEN[n], HIGH[n], LOW[n], CLOSE[n], 0) for n in range(6)]
    [(times, prices)] = read(name, table("", rows, ";")).values()
    assert (times[0], prices) == (1719871200 + 60, CLOSE)


def test_bars_of_bid_and_ask_count_at_their_end(read):
    head = "DateTime,BidOpen,BidHigh,BidLow,BidClose,AskOpen,AskHigh,AskLow,AskClose"
    rows = [
        (
            f"01/01/2024 00:0{n}:00.000",
            OPEN[n],
            HIGH[n],
            LOW[n],
            CLOSE[n],
            OPEN[n] + 1,
            HIGH[n] + 1,
            LOW[n] + 1,
            CLOSE[n] + 1,
        )
        for n in range(6)
    ]
    assert read("m.csv", table(head, rows)) == {"X": (MINUTES, [close + 0.5 for close in CLOSE])}


@pytest.mark.parametrize("head", ["Date,Value", "Date,Close", "DATE,DGS10", "time,symbol,price"])
def test_a_price_at_a_bare_date_counts_when_the_day_ends(read, head):
    rows = [(day, *(["X"] * (head.count(",") - 1)), close) for day, close in zip(DAYS, CLOSE, strict=True)]
    assert read("m.csv", table(head, rows)) == {"X": ([1705363200 + 86400 * n for n in range(6)], CLOSE)}
    [(times, _)] = read("m.csv", table(head, rows), bar="none").values()
    assert times[0] == 1705276800


def test_a_month_counts_when_it_has_ended(read):
    [(times, _)] = read("m.csv", "DATE,Value\n2024-01-01,1\n2024-02-01,2\n2024-03-01,3\n").values()
    assert times[0] >= 1706745600
    assert times[1] >= 1709251200


def test_told_columns_of_a_table_of_bars_are_still_bars(read):
    rows = [(day, OPEN[n], HIGH[n], LOW[n], CLOSE[n]) for n, day in enumerate(DAYS)]
    text = table('"","AAPL.Open","AAPL.High","AAPL.Low","AAPL.Close"', rows)
    expected = ([1705363200 + 86400 * n for n in range(6)], CLOSE)
    assert read("m.csv", text, columns="time=1,price=AAPL.Close") == {"X": expected}
    assert read("m.csv", text, symbol=None) == {"AAPL": expected}


def test_bars_are_as_long_as_all_rows_say_and_sorted_where_they_are_shuffled(read):
    rows = [(DAY + 60 * n, *([n + 1] * 4 if n % 3 == 0 else ["NaN"] * 4)) for n in range(12)]
    [(times, prices)] = read("m.csv", table("time,open,high,low,close", rows)).values()
    assert (times, prices) == ([DAY + 60 + 180 * n for n in range(4)], [1, 4, 7, 10])
    shuffled = [(DAY + 86400 * n, n + 1, n + 1, n + 1, n + 1) for n in (3, 0, 7, 1, 11, 2, 9, 4, 10, 5, 8, 6)]
    [(times, prices)] = read("m.csv", table("time,open,high,low,close", shuffled)).values()
    assert (times, prices) == ([DAY + 86400 * (n + 1) for n in range(12)], list(range(1, 13)))


def test_told_bars_count_as_they_are_told(read):
    rows = list(zip([DAY + 60 * n for n in range(6)], CLOSE, strict=True))
    assert read("m.csv", table("time,close", rows), bar="end")["X"][0] == [DAY + 60 * n for n in range(6)]
    assert read("m.csv", table("time,price", rows), bar="5m,start")["X"][0][0] == DAY + 300
    with pytest.raises(MarketDataError, match="--bar is 'sometimes'"):
        read("m.csv", table("time,close", rows), bar="sometimes")


# Only prices are prices


@pytest.mark.parametrize(
    "name",
    ["Volume", "Volume USD", "return", "log_return", "Change %", "price_change_24h",
     "Shares Traded", "trades_count", "Market Cap",
     "closed",
     "close_timestamp", "open interest", "funding rate"],
)  # fmt: skip
def test_what_is_no_price_is_refused(read, name):
    with pytest.raises(MarketDataError, match="2024-01-15"):
        read("m.csv", table(f"Date,{name}", list(zip(DAYS, CLOSE, strict=True))))


@pytest.mark.parametrize(
    "name", ["close_timestamp", "closed", "close_count", "closing_volume", "return", "Volume USD", "Change %"]
)
def test_a_price_is_found_beside_what_is_none(read, name):
    rows = [(DAY + 60 * n, OPEN[n], HIGH[n], LOW[n], n + 1, CLOSE[n]) for n in range(6)]
    assert read("m.csv", table(f"time,open_usd,high_usd,low_usd,{name},close_usd", rows)) == {"X": (MINUTES, CLOSE)}


def test_numbers_that_are_mostly_changes_are_no_prices(read):
    rows = list(zip(DAYS, [0.1, -0.2, 0.1, -0.1, 0.2, -0.3], strict=True))
    with pytest.raises(MarketDataError, match="3 of 6 prices are zero or below"):
        read("m.csv", table("date,value", rows))


def test_changes_of_a_book_are_no_trades_and_its_top_is_a_quote(read):
    rows = [("BTCUSDT", (DAY + n) * 1000, "true", "bid", CLOSE[n], 1) for n in range(6)]
    with pytest.raises(MarketDataError, match=r"changes of an order book.*is_snapshot"):
        read("m.csv", table("symbol,timestamp,is_snapshot,side,price,amount", rows))
    top = [("BTCUSDT", (DAY + n) * 1000, CLOSE[n] + 1, 1, CLOSE[n], 1) for n in range(6)]
    head = "symbol,timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount"
    assert read("m.csv", table(head, top), symbol=None)["BTCUSDT"][1] == [close + 0.5 for close in CLOSE]


def test_raw_prices_of_databento_are_scaled_and_plain_ones_are_not(read):
    head = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol"
    for times, tail in ((10**9, "000000000"), (10**9, ".000000000")):
        rows = [
            ((DAY + 60 * n) * times, 33, 1, 5482, *(f"{x[n]}{tail}" for x in (OPEN, HIGH, LOW, CLOSE)), 1, "ES")
            for n in range(6)
        ]
        assert read("m.csv", table(head, rows), symbol=None) == {"ES": (MINUTES, CLOSE)}


def test_the_side_of_a_quote_that_is_empty_is_carried_on(read):
    rows = [("S", 1, 3), ("T", 10, 30), ("S", "", 5), ("T", 20, ""), ("S", 3, ""), ("U", 1, "")]
    text = table("time,sym,bid,ask", [(DAY + n, *row) for n, row in enumerate(rows)])
    found = read("m.csv", text, symbol=None)
    assert {name: prices for name, (_, prices) in found.items()} == {"S": [2, 3, 4], "T": [20, 25]}


# Numbers


@pytest.mark.parametrize(
    ("cells", "prices"),
    [
        (["148,123", "0,5"], [148.123, 0.5]),
        (["1.234,5", "999"], [1234.5, 999]),
        (["1.234.567", "9,5"], [1234567, 9.5]),
        (["1,234.5", "148,123"], [1234.5, 148123]),
        (["1,234,567", "1,000"], [1234567, 1000]),
        (["$1,234.50", "$999.25"], [1234.5, 999.25]),
        (["1.234,50 €", "999,25 €"], [1234.5, 999.25]),
        (["USD 1,234.50", "USD 999.25"], [1234.5, 999.25]),
        (["1'234.50", "999.25"], [1234.5, 999.25]),
        (["1\xa0234,50", "999,25"], [1234.5, 999.25]),
    ],
)
def test_one_reading_of_numbers_holds_for_a_file(read, cells, prices):
    text = table("time;price;n", [(DAY + n, cell, 1) for n, cell in enumerate(cells)], ";")
    assert read("m.csv", text)["X"][1] == prices


def test_another_column_tells_which_sign_parts_the_decimals(read):
    rows = [(f"{10 + n}.01.2024", '"148,123"', '"-0,27%"') for n in range(6)]
    assert read("m.csv", table("Date,Price,Change %", rows))["X"][1] == [148.123] * 6


def test_numbers_of_two_readings_are_a_question_that_names_both(read):
    text = table("time;price", [(DAY + n, f"148,12{n}") for n in range(6)], ";")
    with pytest.raises(MarketDataError, match=r"'148,120'.*148\.120 .*148120 .*decimal=comma") as refusal:
        read("m.csv", text)
    assert refusal.value.usage
    assert read("m.csv", text, columns="decimal=comma")["X"][1][0] == 148.12
    assert read("m.csv", text, columns="decimal=point")["X"][1][0] == 148120
    late = table("time;price", [*((DAY + n, f"{100 + n}") for n in range(400)), (DAY + 400, "148,123")], ";")
    with pytest.raises(MarketDataError, match="'148,123'"):
        read("m.csv", late)


def test_an_open_number_in_a_column_that_is_no_price_is_no_question(read):
    rows = [(day, CLOSE[n], '"1,000"') for n, day in enumerate(DAYS)]
    assert read("m.csv", table("Date,Close,Volume", rows))["X"][1] == CLOSE


def test_a_column_that_counts_rows_is_no_price(read):
    rows = [(DAY + n, n, f"{CLOSE[n]}.5", 1) for n in range(6)]
    with pytest.raises(MarketDataError, match=r"counts rows.*--columns time=1,price=N"):
        read("m.csv", table("", rows))
    assert read("m.csv", table("", rows), columns="time=1,price=3")["X"][1] == [close + 0.5 for close in CLOSE]


def test_numbers_of_both_readings_in_one_file_are_refused(read):
    rows = [*((DAY + n, f"{100 + n}.5") for n in range(400)), *((DAY + 400 + n, f"{100 + n},5") for n in range(50))]
    with pytest.raises(MarketDataError, match=r"decimal point and cells like '100,5'"):
        read("m.csv", table("time;price", rows, ";"))


# Several symbols stay several

PAIR = [(day, CLOSE[n], 300.5 + n) for n, day in enumerate(DAYS)]


@pytest.mark.parametrize(
    ("head", "symbols"),
    [
        ("Date,Close_AAPL,Close_MSFT", ("AAPL", "MSFT")),
        ("Date,AAPL_close,MSFT_close", ("AAPL", "MSFT")),
        ("Date,AAPL.Close,BRK-B.Close", ("AAPL", "BRK-B")),
        ("Date,price_btc,price_eth", ("btc", "eth")),
        ("Date,F,T", ("F", "T")),
        ("Date,Close_F,Close_T", ("F", "T")),
        ("Date,000001,600000", ("000001", "600000")),
        ("Date,Close_000001,Close_600000", ("000001", "600000")),
        ("Date,\"('Close', 'AAPL')\",\"('Close', 'F')\"", ("AAPL", "F")),
        ("Price,Close,Close\nTicker,AAPL,F\nDate,,", ("AAPL", "F")),
        ("Ticker,AAPL,F\nPrice,Close,Close\nDate,,", ("AAPL", "F")),
        (",Close,\n,AAPL,^GSPC\nDate,,", ("AAPL", "^GSPC")),
    ],
)
def test_symbols_side_by_side_are_read_as_symbols(read, head, symbols):
    found = read("m.csv", table(head, PAIR), symbol=None)
    assert {name: prices for name, (_, prices) in found.items()} == {
        symbols[0]: CLOSE, symbols[1]: [row[2] for row in PAIR],
    }  # fmt: skip
    assert read("m.csv", table(head, PAIR), symbol=symbols[1])[symbols[1]][1] == [row[2] for row in PAIR]
    with pytest.raises(MarketDataError, match="2 symbols"):
        read("m.csv", table(head, PAIR), symbol="OTHER")


@pytest.mark.parametrize("head", ["Date,Close,Close.1", "Date,close_usd,close_eur", "Date,price,price"])
def test_two_columns_of_one_kind_are_a_question(read, head):
    with pytest.raises(MarketDataError, match=r"several columns.*--columns price=") as refusal:
        read("m.csv", table(head, PAIR))
    assert refusal.value.usage


@pytest.mark.parametrize("name", ["Code", "Ticker", "ts_code"])
def test_codes_of_digits_are_symbols_with_their_zeros(read, name):
    codes = ("005930", "000660")
    for rows in ([(day, code, n + 1) for code in codes for n, day in enumerate(DAYS)],
                 [(day, code, n + 1) for n, day in enumerate(DAYS) for code in codes]):  # fmt: skip
        columns = {} if name != "ts_code" else {"columns": "symbol=ts_code"}
        found = read("m.csv", table(f"Date,{name},Close", rows), symbol=None, **columns)
        assert sorted(found) == sorted(codes)


def test_a_flag_never_makes_one_symbol_of_two(read):
    rows = [(day, kind, n + number) for number, kind in ((1, 7203), (500, 9984)) for n, day in enumerate(DAYS)]
    with pytest.raises(MarketDataError, match=r"--columns symbol=NAME.*'Nummer'"):
        read("m.csv", table("Date,Nummer,Close", rows))


def zipped(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in members.items():
            archive.writestr(f"{name}.csv", text)
    return buffer.getvalue()


def test_members_of_an_archive_are_symbols_of_their_own(read):
    one, other = (table("Date,Close", [(row[0], row[place]) for row in PAIR]) for place in (1, 2))
    assert sorted(read("m.zip", zipped(AAPL=one, MSFT=other), symbol=None)) == ["AAPL", "MSFT"]
    with pytest.raises(MarketDataError, match=r"AAPL\.csv.*MSFT\.csv"):
        read("m.zip", zipped(AAPL=one, MSFT=other))
    with pytest.raises(MarketDataError, match=r"prices_old\.csv"):
        read("m.zip", zipped(prices_old=one, prices_new=other), symbol=None)


def test_parquet_with_several_levels_of_columns_or_rows_keeps_its_symbols(read):
    days = [datetime(2024, 1, n) for n in (1, 2, 3)]  # noqa: DTZ001 - as pandas writes them
    wide = pl.DataFrame({"('Close', 'AAPL')": [1.0, 2.0, 3.0], "('Close', 'F')": [4.0, 5.0, 6.0], "Date": days})
    found = read("m.parquet", wide, symbol=None)
    assert (found["F"][1], found["F"][0][0]) == ([4, 5, 6], DAY + 86400)
    long = pl.DataFrame({"close": [1.0, 2.0, 3.0] * 2, "symbol": ["A"] * 3 + ["B"] * 3, "date": days * 2})
    assert sorted(read("m.parquet", long, symbol=None)) == ["A", "B"]


def test_symbols_reach_nobody_with_marks_that_steer_a_terminal(read):
    found = read("m.csv", "time,symbol,price\n1,\x1b[31mBTC,3\n2,A\u202eB,4\n3,C\x9bD,5\n", symbol=None)
    assert sorted(found) == ["A\ufffdB", "C\ufffdD", "\ufffd[31mBTC"]
