"""Trades that look like another one are counted and named, and all of them count."""

from __future__ import annotations

from pathlib import Path

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.feeds.files import duplicates
from arena.feeds.files.reader import read
from arena.feeds.files.sources import open_sources
from arena.feeds.history import load_history

DAY = 1704067200
HEADER = "time,price,amount\n"
# Few values of each, so that many rows are the same, of several widths.
TIMES = st.sampled_from([f"{DAY}", f"{DAY + 1}.5", f"{DAY + 1}.25", f"{DAY + 2}"])
ROW = st.tuples(TIMES, st.sampled_from(["1.5", "20.25"]), st.sampled_from(["1", "0.000000000000000000001", "4.5"]))


def defects_of(path: Path, size: int) -> dict[str, int]:
    [(source, report)] = open_sources(str(path))
    return dict(read(source, report, "X", size=size).report.defects)


def test_a_repeated_trade_id_is_named_and_the_row_kept(load):
    market = load(
        "BTCUSDT-trades-2024-01-01.csv", f"7,1.0,2.0,2.0,{DAY}000,True,True\n7,3.0,2.0,6.0,{DAY}000,True,True\n"
    )
    assert market.prices.tolist() == [[3.0]]
    assert market.defects["repeated_id"] == 1
    assert any("repeat a trade id of the 10,000 rows before them, kept: 1" in note for note in market.notes)


def test_identical_rows_are_named_and_kept(load):
    market = load("btcusd.csv", f"{HEADER}{DAY},1.5,2\n{DAY},1.6,2\n{DAY},1.5,2\n{DAY + 1},1.5,2\n")
    assert market.prices.tolist() == [[1.5], [1.5]]
    assert market.defects == {"identical": 1}
    assert any("identical to another of the same time, kept" in note for note in market.notes)


@pytest.mark.parametrize("size", [40, 60, 1 << 20])
def test_ids_of_two_symbols_are_told_apart_wherever_a_block_ends(tmp_path, size):
    path = tmp_path / "m.csv"
    deals = [("A", 1), ("B", 1), ("A", 2), ("B", 3), ("A", 4), ("B", 5), ("B", 1)]
    rows = [f"{DAY + n},{symbol},{10**9 + number},5\n" for n, (symbol, number) in enumerate(deals)]
    path.write_text("time,symbol,trade_id,price\n" + "".join(rows))
    [(source, report)] = open_sources(str(path))
    assert dict(read(source, report, None, size=size).report.defects) == {"repeated_id": 1}


@pytest.mark.parametrize("falling", [False, True], ids=["oldest first", "newest first"])
@pytest.mark.parametrize("size", [200, 4000, 1 << 20])
def test_an_id_is_a_repeat_only_of_one_in_the_window(tmp_path, monkeypatch, falling, size):
    monkeypatch.setattr(duplicates, "WINDOW", 50)
    # The row 40 places on repeats an id, the one 60 places on is too far away, and one only comes late.
    numbers = [*range(1000, 1040), 1000, *range(1040, 1100), 1039, 5, *range(1100, 1300)]
    rows = [f"{number},1.0,2.0,2.0,{DAY + n}000,True,True\n" for n, number in enumerate(numbers)]
    path = tmp_path / "BTCUSDT-trades-2024-01-01.csv"
    path.write_text("".join(reversed(rows) if falling else rows))
    assert defects_of(path, size).get("repeated_id", 0) == 1


def test_ids_of_words_and_ids_that_are_missing_are_looked_at_as_well(load):
    rows = [f"{DAY + n},{own},{n + 1}.5\n" for n, own in enumerate(["a" * 32, "", "b" * 32, "", "a" * 32, "7", "07"])]
    assert load("btcusd.csv", "time,trade_id,price\n" + "".join(rows)).defects == {"repeated_id": 1}


@pytest.mark.parametrize("size", [100, 5000, 1 << 20])
def test_all_rows_of_a_long_run_of_one_time_are_remembered(tmp_path, size):
    path = tmp_path / "btcusd.csv"
    rows = [f"{DAY},{n + 1}.5,1\n" for n in range(3000)]
    path.write_text(HEADER + "".join([*rows, *rows[:7], f"{DAY + 1},1.5,1\n"]))
    assert defects_of(path, size) == {"identical": 7}


def test_quotes_may_stand_still(load):
    assert load("btcusd.csv", f"time,bid,ask\n{DAY},1,2\n{DAY},1,2\n").defects == {}


def test_repeats_that_are_skipped_for_another_reason_are_not_said_to_be_kept(load):
    market = load(
        "btcusd.csv", f"{HEADER}{DAY + 5},1.5,2\n{DAY},1.5,2\n{DAY},1.5,2\n{DAY + 6},1.5,2\n{DAY + 7},2.5,2\n"
    )
    assert market.defects == {"out_of_order": 2}


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=60), size=st.integers(30, 400))
def test_the_same_repeats_are_found_wherever_the_file_is_cut(tmp_path_factory, rows, size):
    rows.sort(key=lambda row: float(row[0]))
    path = tmp_path_factory.mktemp("repeats") / "btcusd.csv"
    path.write_text(HEADER + "".join(",".join(row) + "\n" for row in rows))
    assert defects_of(path, size).get("identical", 0) == len(rows) - len(set(rows))


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.lists(st.sampled_from([1, 2, 10**9, 10**9 + 1, 2 * 10**9]), min_size=1, max_size=60),
    size=st.integers(30, 400),
)
def test_the_same_ids_are_found_wherever_the_file_is_cut(tmp_path_factory, numbers, size):
    path = tmp_path_factory.mktemp("ids") / "BTCUSDT-trades-2024-01-01.csv"
    path.write_text("".join(f"{own},{n + 1}.5,2.0,2.0,{DAY + n}000,True,True\n" for n, own in enumerate(numbers)))
    assert defects_of(path, size).get("repeated_id", 0) == len(numbers) - len(set(numbers))


def test_json_and_parquet_are_looked_through_as_well(load, tmp_path: Path):
    deals = [[DAY * 1000, "5", None, "sell", 1.5, 2.0, 3.0], [DAY * 1000, "5", None, "sell", 1.5, 2.0, 3.0]]
    assert load("btcusd.json", orjson.dumps(deals)).defects == {"repeated_id": 1}
    kraken = {"error": [], "result": {"XBTUSD": [["1.5", "2", DAY, "b", "l", ""]] * 3, "last": "1"}}
    assert load("kraken.json", orjson.dumps(kraken)).defects == {"identical": 2}
    path = tmp_path / "btcusd.parquet"
    pl.DataFrame({"time": [DAY, DAY, DAY], "price": [1.5, 1.5, 2.5], "amount": [1, 1, 1]}).write_parquet(path)
    assert load_history([str(path)], interval=None).defects == {"identical": 1}
    ids_of = {"symbol": [*"ABABAAA"], "trade_id": [7, 7, 8, 9, None, None, 7]}
    frame = pl.DataFrame({"time": [DAY] * 7, "price": [1.5] * 7, **ids_of})
    frame.write_parquet(path)
    assert load_history([str(path)], interval=None).defects == {"repeated_id": 1}
