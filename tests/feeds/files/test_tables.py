from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import polars as pl
import pytest

from arena.errors import MarketDataError
from arena.feeds.history import load_history

DAY = 1704067200  # 2024-01-01


def test_a_native_table_gives_one_tick_per_distinct_time_and_carries_prices(load):
    market = load("m.csv", "time,symbol,price\n1,BTC,10\n1,ETH,5\n2.5,BTC,11\n7,ETH,6\n")
    assert market.symbols == ("BTC", "ETH")
    assert market.times.tolist() == [1, 2.5, 7]
    assert market.prices.tolist() == [[10, 5], [11, 5], [11, 6]]


def test_a_symbol_not_seen_yet_is_not_a_number(load):
    market = load("m.csv", "time,symbol,price\n1,BTC,10\n2,ETH,5\n")
    assert str(market.prices.tolist()) == "[[10.0, nan], [10.0, 5.0]]"


def test_a_native_table_without_header_is_known_by_its_cells(load):
    assert load("m.csv", "1,BTC,10\n2,BTC,11\n").times.tolist() == [1, 2]


def test_bad_rows_are_skipped_and_counted_by_kind(load):
    rows = "1,BTC,1\n2,BTC,x\nten,BTC,2\n3,BTC,nan\n4,BTC,0\n5,BTC,-2\n6,BTC,7\n"
    market = load("m.csv", f"time,symbol,price\n{rows}5,BTC,8\n7,,3\n8,BTC\n")
    assert market.times.tolist() == [1, 6]
    assert market.defects == {
        "unparsable": 4, "not_a_number": 1, "not_positive": 2, "out_of_order": 1,
    }  # fmt: skip
    assert any("out of order" in note for note in market.notes)


def test_the_later_of_two_rows_of_one_time_counts(load):
    market = load("m.csv", "time,symbol,price\n1,BTC,1\n1,BTC,2\n")
    assert market.prices.tolist() == [[2]]
    assert market.defects == {"duplicate_time": 1}


def test_a_stray_quote_costs_its_own_row_only(load):
    rows = "".join(f"{n},BTC,{n}\n" for n in range(1, 2000))
    market = load("m.csv", "time,symbol,price\n" + rows + '2000,"BTC,1\n2001,BTC,5\n')
    assert market.times[-1] == 2001


def test_a_quote_that_is_not_closed_costs_its_own_row_only_where_all_cells_have_quotes(load):
    rows = [f'"{DAY + n}","BTC","{n + 1}"' for n in range(2000)]
    rows[1000] = f'"{DAY + 1000},"BTC","5"'
    market = load("m.csv", '"time","symbol","price"\n' + "\n".join(rows))
    assert len(market.times) == 1999
    assert market.defects == {"unparsable": 1}


def test_a_wholly_descending_file_is_reversed_and_said_so(load):
    market = load("m.csv", "time,symbol,price\n3,BTC,3\n2,BTC,2\n1,BTC,1\n")
    assert market.prices[:, 0].tolist() == [1, 2, 3]
    assert market.defects == {"reversed": 1}


def test_symbols_stacked_one_after_the_other_are_merged_by_time(load):
    market = load("m.csv", "time,symbol,price\n1,A,1\n2,A,2\n1,B,3\n2,B,4\n")
    assert market.prices.tolist() == [[1, 3], [2, 4]]
    assert not market.defects


def test_a_clock_that_jumps_ahead_does_not_condemn_the_rows_after_it(load):
    rows = [f"{n},BTC,{n}" for n in range(1, 60)]
    rows.insert(5, "9999,BTC,7")
    market = load("m.csv", "time,symbol,price\n" + "\n".join(rows))
    assert market.times.tolist() == list(range(1, 60))
    assert market.defects == {"out_of_order": 1}


@pytest.mark.parametrize(
    "cell",
    [
        "1704070800", "1704070800000", "1704070800000000", "1704070800000000000",
        "2024-01-01 01:00:00", "2024-01-01T01:00:00Z", "2024-01-01T01:00:00.000000Z",
        "2024-01-01 02:00:00+01:00", "2023-12-31T20:00:00-0500", "2024.01.01 01:00",
        "20240101 010000", "01/01/2024 01:00:00", "2024-01-01D01:00:00.000000000",
    ],
)  # fmt: skip
def test_times_of_many_spellings_are_the_same_second(load, cell):
    market = load("x.csv", f"Timestamp,Open,High,Low,Close\n{cell},1,2,1,2\n", symbol="S")
    assert market.times.tolist() == [DAY + 3600]


def test_days_that_are_in_no_calendar_are_unparsable(load):
    text = "date,close\n2024-02-28,1\n2024-02-29,2\n2024-02-30,3\n2024-03-01,4\n"
    market = load("x.csv", text, symbol="S")
    assert market.defects["unparsable"] == 1
    assert market.times.tolist() == [1709164800, 1709251200, 1709337600]


def test_a_microsecond_is_exact(load):
    market = load("x.csv", "time,symbol,price\n2024-01-01T00:00:00.123457Z,S,1\n")
    assert market.times[0] == 1704067200.123457


def test_bars_tick_at_their_close_one_common_step_after_their_open(load):
    body = "".join(f"{DAY + t},{p},{p},{p},{p}\n" for t, p in ((0, 1), (60, 2), (120, 3), (300, 4)))
    market = load("m_btcusd.csv", "timestamp,open,high,low,close\n" + body)
    assert market.symbols == ("BTCUSD",)
    assert (market.times - DAY).tolist() == [60, 120, 180, 360]
    assert market.prices[:, 0].tolist() == [1, 2, 3, 4]


def test_gaps_and_bars_without_volume_are_counted_and_nothing_is_filled_in(load):
    rows = [(0, 5), (60, 0), (120, 4), (300, 4)]
    body = "".join(f"{DAY + t},1,2,1,1.5,{v}\n" for t, v in rows)
    market = load("btcusd.csv", "time,open,high,low,close,volume\n" + body)
    assert (market.times - DAY).tolist() == [60, 120, 180, 360]
    assert market.defects == {"gaps": 1, "missing_bars": 2, "zero_volume": 1}


def test_close_is_used_and_not_adjusted_close(load):
    text = "Date,Open,High,Low,Close,Volume,Adj Close\n2000-01-03,1,1,1,118.12,1,28.87\n"
    assert load("o.csv", text, symbol="ORCL").prices.tolist() == [[118.12]]


def test_a_ninja_trader_bar_stands_at_the_end_it_is_labelled_with(load):
    text = "20240101 000100;1;2;1;1.5;9\n20240101 000200;1;2;1;1.6;9\n"
    market = load("nt.txt", text, symbol="SPY")
    assert market.times.tolist() == [DAY + 60, DAY + 120]


@pytest.mark.parametrize(
    "text",
    [
        ("https://www.CryptoDataDownload.com\nunix,date,symbol,open,high,low,close\n"
        "1704067260000,2024-01-01 00:01:00,S,1,2,1,8\n1704067200,2024-01-01 00:00:00,S,1,2,1,7\n"),
        ("<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>\n"
        "S,1,20240101,000000,1,2,1,7\nS,1,20240101,000100,1,2,1,8\n"),
        ("date;symbol;open;high;low;close\n01.01.2024 00:00:00;S;1,0;2,0;1,0;7,0\n"
        "01.01.2024 00:01:00;S;1,0;2,0;1,0;8,0\n"),
        "\ufeffSymbol\tTime\tO\tH\tL\tC\r\nS\t1704067200\t1\t2\t1\t7\r\nS\t1704067260\t1\t2\t1\t8\r\n",
        ('time,ticker,open,high,low,close\n1704067200,S,"$1","$2","$1","$7.0"\n'
        '1704067260,S,"$1","$2","$1","$8.0"\n'),
    ],
)  # fmt: skip
def test_bars_of_many_vendors_read_alike(load, text):
    market = load("any.csv", text)
    assert market.symbols == ("S",)
    assert market.times.tolist() == [DAY + 60, DAY + 120]
    assert market.prices[:, 0].tolist() == [7, 8]


def test_quotes_give_the_middle_and_one_sided_quotes_are_counted(load):
    text = f"time,bid,ask\n{DAY}.5,1,3\n{DAY + 1}.2,0,3\n{DAY + 2},2,4\n"
    market = load("q_btcusd.csv", text)
    assert market.prices[:, 0].tolist() == [2, 3]
    assert market.defects == {"one_sided": 1}


def test_guessed_columns_are_said_in_the_notes(load):
    text = f"exchange,sym,ts,last_price,qty\nx,S,{DAY}000,5,1\nx,S,{DAY + 1}000,6,1\n"
    market = load("t.csv", text)
    assert market.symbols == ("S",)
    assert any("'ts'" in note and "'last_price'" in note for note in market.notes)


@pytest.mark.parametrize("unit", [1, 1000, 10**6])
def test_parquet_is_read_with_the_same_guess_of_columns(tmp_path: Path, unit):
    path = tmp_path / "any.bin"
    frame = pl.DataFrame({"timestamp": [DAY * unit, (DAY + 1) * unit], "price": [1.0, 2.0]})
    frame.with_columns(symbol=pl.lit("S"), size=1.0).write_parquet(path)
    market = load_history([str(path)], interval=None)
    assert (market.symbols, market.prices.tolist()) == (("S",), [[1], [2]])


def test_wrapping_is_recognised_by_content_and_not_by_extension(load, tmp_path: Path):
    text = b"time,symbol,price\n1,BTC,10\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("inner.csv", gzip.compress(text))
    for content in (text, gzip.compress(text), buffer.getvalue()):
        assert load("market.dat", content).prices.tolist() == [[10]]


def test_a_gzip_file_cut_short_is_read_as_far_as_it_goes(load):
    rows = "".join(f"{n},BTC,{n * 7919 % 1000 + 1}\n" for n in range(5000))
    packed = gzip.compress(b"time,symbol,price\n" + rows.encode())
    market = load("m.gz", packed[: len(packed) // 2])
    assert market.defects["truncated_file"] == 1
    assert 1000 < len(market.times) < 5000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"  \n\n", "empty"),
        (b"time,symbol,price\n", "no rows"),
        (b"time,symbol,price\nx,BTC,y\n", "no usable price"),
        (b"hello world\nthis is text\n", "Accepted"),
        (b"a,b\nx,y\n", "a, b"),
        (bytes(range(256)) * 9, "Accepted"),
        (b"\x1f\x8bnonsense", "damaged"),
        (b"PK\x03\x04nonsense", "cannot be read"),
        (b"BZh91AY&SY", "cut short"),
        (b"BZhnonsense", "damaged bzip2"),
        (b"\x28\xb5\x2f\xfdnonsense", "damaged zstandard"),
        (b"SQLite format 3\0", "SQLite"),
        (b"{broken", "Accepted"),
        (b"[]", "Accepted"),
        (b'{"error":["EQuery:Unknown asset pair"]}', "EQuery"),
    ],
)
def test_what_is_no_market_is_refused_in_a_sentence(load, content, words):
    with pytest.raises(MarketDataError, match=words) as refusal:
        load("x.csv", content, symbol="S")
    assert not refusal.value.usage


def test_a_missing_file_is_a_mistake_of_usage(tmp_path: Path):
    with pytest.raises(MarketDataError, match="no market file") as refusal:
        load_history([str(tmp_path / "none.csv")], interval=None)
    assert refusal.value.usage
