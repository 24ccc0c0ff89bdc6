from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from arena.feeds.fakes.archive_site import FakeArchiveSite, zipped
from arena.feeds.history import load_history
from tests.cli.conftest import Run

DAY = 1704067200
TRADES = "id,price,qty,time\n" + "".join(f"{n},{100 + n / 7},1,{DAY + n // 3 * 0.7:.1f}\n" for n in range(300))


@pytest.fixture
def trades(tmp_path: Path) -> Path:
    path = tmp_path / "btcusd_trades.csv"
    path.write_text(TRADES)
    return path


def test_info_tells_span_rows_columns_and_defects(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "market.csv"
    path.write_text("sym;when;last\nA;2024-01-01 00:00:00;1\nB;2024-01-01 00:01:00;2\nA;2023-01-01 00:00:00;3\nA;x;4\n")
    found = run("data", "info", path, "--json").json()
    [file] = found["files"]
    assert (file["kind"], file["rows"], file["interval"]) == ("native", 2, None)
    assert file["columns"] == {"time": "when", "price": "last", "symbol": "sym"}
    assert file["defects"] == {"unparsable": 1, "out_of_order": 1}
    assert (found["from"], found["to"]) == ("2024-01-01T00:00:00.000Z", "2024-01-01T00:01:00.000Z")
    assert found["symbols"] == ["A", "B"]


def test_info_tells_how_long_bars_are(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-5m-2024-01.csv"
    path.write_text("".join(f"{DAY + n * 300}000,1,2,1,1.5,9,{DAY + n * 300 + 299}999,1,1,1,1,0\n" for n in range(5)))
    [file] = run("data", "info", path, "--json").json()["files"]
    assert (file["kind"], file["interval"], file["columns"]["price"]) == ("bars", 300.0, "column 5")


def test_info_counts_all_rows_of_trades_and_those_that_a_later_file_overrides(run: Run, trades: Path) -> None:
    found = run("data", "info", trades, trades, "--json").json()
    assert found["rows"] == 600
    assert found["defects"] == {"overridden": 300}


def test_info_is_a_table_for_people(run: Run, trades: Path) -> None:
    done = run("data", "info", trades, COLUMNS="200")
    assert "BTCUSD" in done.out
    assert "price from 'price'" in done.out
    assert done.code == 0


def test_told_columns_are_read_in_place_of_guessed_ones(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(f"when,what,price,fair\n{DAY},A,1,7\n{DAY + 1},A,2,8\n")
    [file] = run("data", "info", path, "--columns", "time=when,price=fair,symbol=what", "--json").json()["files"]
    assert file["columns"] == {"time": "when", "price": "fair", "symbol": "what"}


def test_info_says_how_a_file_was_understood(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "EURUSD.csv"
    path.write_text(
        "Time (EET),Open,High,Low,Close\n" + "".join(f"2024.07.01 00:0{n}:00,1,2,1,1.5\n" for n in range(5))
    )
    [file] = run("data", "info", path, "--json").json()["files"]
    told = file["understood"]
    assert told["zone"].startswith("EET")
    assert told["bars"] == "of 60 s, stamped at their start; a close counts when its bar ends"
    assert (told["first row"], told["last row"]) == ("2024.07.01 00:00:00,1,2,1,1.5", "2024.07.01 00:04:00,1,2,1,1.5")
    assert (told["numbers"], file["symbols"][0]["from"]) == ("decimal point", "2024-06-30T21:01:00.000Z")
    assert "zone: EET" in run("data", "info", path).out


def test_zone_and_bar_are_told_to_every_command(run: Run, tmp_path: Path) -> None:
    path, out = tmp_path / "EURUSD.csv", tmp_path / "o.csv"
    path.write_text("time,close\n" + "".join(f"2024-07-01 00:0{n}:00,{n + 1}\n" for n in range(5)))
    told = ("--zone", "America/New_York", "--bar", "1m,end")
    assert run("data", "info", path, *told, "--json").json()["from"] == "2024-07-01T04:00:00.000Z"
    assert run("data", "convert", path, "--out", out, *told).code == 0
    assert out.read_text().splitlines()[1] == "1719806400.0,EURUSD,1.0"
    assert run("data", "info", path, "--bar", "never").code == 2
    for command in (("data", "info"), ("data", "convert"), ("backtest",)):
        shown = run(*command, "--help", COLUMNS="200").out
        assert "--zone" in shown
        assert "--bar" in shown


def test_refusals_of_these_commands_name_their_own_way_to_say_a_symbol(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "goog.csv"
    path.write_text("time,close\n1704067200,1\n1704067260,2\n")
    done = run("data", "info", path)
    words = " ".join(done.err.split())
    assert done.code == 2
    assert "name it with SYMBOL=" in words
    assert "--data" not in words


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("time", "--columns has 'time'"),
        ("size=x", "--columns has 'size=x'"),
        ("price=nothing", "has no column 'nothing'"),
    ],
)
def test_told_columns_that_make_no_sense_are_a_mistake_of_usage(run: Run, trades: Path, columns, words) -> None:
    done = run("data", "info", trades, "--columns", columns)
    assert done.code == 2
    assert words in " ".join(done.err.split())


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_a_converted_market_is_the_same_market(run: Run, trades: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out.{ending}"
    assert run("data", "convert", trades, "--out", out).code == 0
    for interval in (1.0, 0.3):
        one, other = (load_history([str(path)], interval=interval) for path in (trades, out))
        assert one.symbols == other.symbols
        assert np.array_equal(one.times, other.times)
        assert np.array_equal(one.prices, other.prices)


def test_resampled_conversion_has_one_price_a_tick(run: Run, trades: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    run("data", "convert", trades, "--out", out, "--interval", 5)
    one, other = load_history([str(trades)], interval=5), load_history([str(out)], interval=None)
    assert np.array_equal(one.times, other.times)
    assert np.array_equal(one.prices, other.prices)


def test_several_files_become_one_table_in_order_of_time(run: Run, tmp_path: Path) -> None:
    for name, shift in (("a", 0), ("b", 1)):
        (tmp_path / f"{name}.csv").write_text(
            f"time,symbol,price\n{DAY + shift},{name.upper()},0.1\n{DAY + 2},X,{shift + 1}\n"
        )
    run("data", "convert", tmp_path / "a.csv", tmp_path / "b.csv", "--out", tmp_path / "c.csv")
    expected = f"time,symbol,price\n{DAY}.0,A,0.1\n{DAY + 1}.0,B,0.1\n{DAY + 2}.0,X,2.0\n"
    assert (tmp_path / "c.csv").read_text() == expected


def test_a_parquet_table_has_plain_columns(run: Run, trades: Path, tmp_path: Path) -> None:
    run("data", "convert", trades, "--out", tmp_path / "o.parquet")
    frame = pl.read_parquet(tmp_path / "o.parquet")
    assert dict(frame.schema) == {"time": pl.Float64, "symbol": pl.String, "price": pl.Float64}


def test_a_file_that_is_there_is_not_written_over_unless_told_so(run: Run, trades: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("mine")
    done = run("data", "convert", trades, "--out", out)
    assert (done.code, out.read_text()) == (2, "mine")
    assert "--force" in done.err
    assert run("data", "convert", trades, "--out", out, "--force").code == 0
    assert out.read_text().startswith("time,symbol,price\n")


def test_an_ending_that_says_nothing_is_refused(run: Run, trades: Path, tmp_path: Path) -> None:
    done = run("data", "convert", trades, "--out", tmp_path / "out.xlsx")
    assert done.code == 2
    assert ".parquet" in done.err


def test_downloaded_files_are_named_on_stdout(run: Run, tmp_path: Path) -> None:
    with FakeArchiveSite() as site:
        for month in ("2025-01", "2025-02"):
            name = f"BTCUSDT-1m-{month}.zip"
            site.put(f"data/spot/monthly/klines/BTCUSDT/1m/{name}", zipped(name, "1,2\n"))
        arguments = ("data", "download", "binance", "BTCUSDT", "1m", "2025-01", "2025-02", "--base-url", site.url)
        done = run(*arguments, "--dir", tmp_path / "new")
        again = run(*arguments, "--dir", tmp_path / "new")
    assert (done.code, len(done.out.splitlines())) == (0, 2)
    assert again.out.count("was there already") == 2
    assert (tmp_path / "new" / "BTCUSDT-1m-2025-02.zip.CHECKSUM").exists()


def test_files_that_are_not_there_are_said_and_the_others_come(run: Run, tmp_path: Path) -> None:
    with FakeArchiveSite() as site:
        name = "BTCUSDT-trades-2025-01-02.zip"
        site.put(f"data/spot/daily/trades/BTCUSDT/{name}", zipped(name, "1,2\n"))
        done = run(
            "data", "download", "binance", "BTCUSDT", "trades", "2025-01-01", "2025-01-02", "--base-url", site.url
        )
    assert done.code == 4
    assert "has no BTCUSDT-trades-2025-01-01.zip" in " ".join(done.err.split())
    assert (tmp_path / name).exists()


def test_a_wrong_checksum_ends_the_command_with_both_digests(run: Run) -> None:
    with FakeArchiveSite() as site:
        name = "BTCUSDT-trades-2025-01-02.zip"
        site.put(f"data/spot/daily/trades/BTCUSDT/{name}", b"content", checksum="ab" * 32)
        done = run("data", "download", "binance", "BTCUSDT", "trades", "2025-01-02", "--base-url", site.url)
    assert done.code == 1
    assert "ab" * 32 in done.err.replace("\n", "")


def test_another_venue_has_no_archive(run: Run) -> None:
    assert run("data", "download", "kraken", "BTCUSDT", "1m", "2025-01").code == 2
