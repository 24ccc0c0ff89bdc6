"""Tables as vendors and spreadsheets write them; nothing here is told but the file itself."""

from __future__ import annotations

import bz2
import io
import json
import lzma
import zipfile

import polars as pl
import pytest

from arena.errors import MarketDataError
from arena.feeds.history import load_history

DAY = 1704067200  # 2024-01-01
OHLC = "1,9,1"


def zipped(name: str, text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        f",timestamp,open,high,low,close\n0,2024-01-01 00:00:00,{OHLC},7\n1,2024-01-01 00:01:00,{OHLC},8\n",
        f",open,high,low,close\n2024-01-01 00:00:00+00:00,{OHLC},7\n2024-01-01 00:01:00+00:00,{OHLC},8\n",
        f"DATE,TIME,OPEN,HIGH,LOW,CLOSE\n2024.01.01,00:00,{OHLC},7\n2024.01.01,00:01,{OHLC},8\n",
        f"Date,Time,Open,High,Low,Close\n01/01/2024,0000,{OHLC},7\n01/01/2024,0001,{OHLC},8\n",
        f"2024.01.01,00:00,{OHLC},7,5\n2024.01.01,00:01,{OHLC},8,5\n",
        "Gmt time;Open;High;Low;Close\n01.01.2024 00:00:00.000;1;9;1;7\n01.01.2024 00:01:00.000;1;9;1;8\n",
        f"t,o,h,l,c\n01.01.2024 01:00:00.000 GMT+0100,{OHLC},7\n01.01.2024 01:01:00.000 GMT+0100,{OHLC},8\n",
        "Datum;Open;High;Low;Schlusskurs\n01.01.2024 00:00;1;9;1;7,0\n01.01.2024 00:01;1;9;1;8,0\n",
        f"open_time,open,high,low,close\n{DAY + 60}000000000,{OHLC},8\n{DAY}000000000,{OHLC},7\n",
        f"Time,Open,High,Low,Close\r\n{DAY}.0,{OHLC},7\r\n{DAY + 60}.0,{OHLC},8\r\n",
        "2024-01-01 00:00:00 1 9 1 7\n2024-01-01 00:01:00 1 9 1 8\n",
        f"   {DAY}   1  9  1   7\n   {DAY + 60}   1  9  1  8\n",
        f'"time","open","high","low","close"\n"{DAY}","1","9","1","7"\n"{DAY + 60}","1","9","1","8"\n',
        f"{DAY},{OHLC},7,1\n{DAY + 60},{OHLC},8,1\n",
    ],
)
def test_bars_of_one_market_read_alike_however_they_are_written(load, text):
    market = load("any.txt", text, symbol="S")
    assert market.times.tolist() == [DAY + 60, DAY + 120]
    assert market.prices[:, 0].tolist() == [7, 8]


@pytest.mark.parametrize(
    ("text", "prices"),
    [
        ("time;price;n\n{0};1.234,5;1\n{1};999,25;1\n", [1234.5, 999.25]),
        ('time,price,n\n{0},"1,234.5",1\n{1},999.25,1\n', [1234.5, 999.25]),
        ('time,price,n\n{0},"1234,5",1\n{1},"999,25",1\n', [1234.5, 999.25]),
        ("time;price;n\n{0};1'234.5;1\n{1};999.25;1\n", [1234.5, 999.25]),
        ("time\tprice\tn\n{0}\t$1,234.50\t1\n{1}\t$999.25\t1\n", [1234.5, 999.25]),
        ("time,price,n\n{0},1.2345e3,1\n{1},+999.25,1\n", [1234.5, 999.25]),
    ],
)
def test_prices_of_many_spellings_are_the_same_number(load, text, prices):
    market = load("x.csv", text.format(DAY, DAY + 1), symbol="S")
    assert market.prices[:, 0].tolist() == prices


def test_a_price_with_thousands_apart_is_read_wherever_in_the_file_it_comes(load):
    rows = [f"{DAY + n},{900 + n / 10:.1f},1" for n in range(900)]
    rows += [f'{DAY + 900 + n},"1,{n:03}.5",1' for n in range(90)]
    market = load("x.csv", "time,price,size\n" + "\n".join(rows), symbol="S")
    assert not market.defects
    assert market.prices[-1, 0] == 1089.5


@pytest.mark.parametrize(
    ("dates", "days"),
    [
        (("01/02/2024", "02/02/2024", "03/02/2024"), [31, 32, 33]),  # closer together than months are
        (("02/01/2024", "02/02/2024", "02/03/2024"), [31, 32, 33]),
        (("11/12/2023", "12/12/2023", "13/12/2023"), [-21, -20, -19]),  # the last one settles it
        (("12/30/2023", "12/31/2023", "01/01/2024"), [-2, -1, 0]),
    ],
)
def test_days_and_months_are_told_apart_by_all_of_the_file(load, dates, days):
    rows = "".join(f"{date},{n + 1}\n" for n, date in enumerate(dates))
    market = load("x.csv", "Date,Close\n" + rows, symbol="S")
    assert ((market.times - DAY) / 86400 - 1).tolist() == days


def test_a_date_that_could_be_two_is_read_with_a_note(load):
    market = load("x.csv", "Date,Close\n01/02/2024,1\n", symbol="S")
    assert any("month, day, year" in note and "day, month, year" in note for note in market.notes)


def test_a_column_of_times_needs_no_known_name_and_a_single_number_is_the_price(load):
    market = load("x.csv", f"when,coin,worth\n{DAY},A,1\n{DAY + 1},A,2\n")
    assert (market.symbols, market.prices.tolist()) == (("A",), [[1], [2]])
    assert any("'when'" in note and "'worth'" in note for note in market.notes)


def test_quotes_without_prices_are_no_trades_of_their_sizes(load):
    market = load("x.csv", f"time,bid,ask,bidsize\n{DAY},1,3,70\n{DAY + 1},2,4,80\n", symbol="S")
    assert market.prices[:, 0].tolist() == [2, 3]


def test_ticks_of_histdata_count_by_the_middle_of_bid_and_ask(load):
    market = load("DAT_ASCII_EURUSD_T_202401.csv", "20240101 000000250,1,3,0\n20240101 000001500,2,4,0\n")
    # Its clock is New York's winter time.
    assert (market.symbols, market.times.tolist()) == (("EURUSD",), [DAY + 5 * 3600 + 1])
    assert market.prices.tolist() == [[2]]


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress], ids=["bz2", "xz"])
def test_other_compressions_are_taken_off(load, pack):
    assert load("x", pack(b"time,symbol,price\n1,A,1\n")).prices.tolist() == [[1]]


def test_zstandard_is_taken_off(load):
    # `printf 'time,symbol,price\n1,A,1\n' | zstd --no-check`
    packed = bytes.fromhex("28b52ffd0058c10000") + b"time,symbol,price\n1,A,1\n"
    assert load("x", packed).prices.tolist() == [[1]]


FREQTRADE_BARS = {
    "date": pl.Series([DAY * 1000, DAY * 1000 + 60_000]).cast(pl.Datetime("ms", "UTC")),
    "open": [1.0, 2.0], "high": [9.0, 9.0], "low": [1.0, 1.0], "close": [7.0, 8.0], "volume": [1.0, 0.0],
}  # fmt: skip


@pytest.mark.parametrize("ending", ["feather", "parquet"])
def test_freqtrades_bars_are_read_in_both_of_its_forms(tmp_path, ending):
    path = tmp_path / f"BTC_USDT-1m.{ending}"
    frame = pl.DataFrame(FREQTRADE_BARS)
    if ending == "feather":
        frame.write_ipc(path, compression="lz4")
    else:
        frame.write_parquet(path)
    market = load_history([str(path)], interval=None)
    assert (market.symbols, market.times.tolist()) == (("BTCUSDT",), [DAY + 60, DAY + 120])
    assert market.defects == {"zero_volume": 1}


def test_freqtrades_trades_in_feather_are_sampled(tmp_path):
    path = tmp_path / "XRP_ETH-trades.feather"
    columns = {"timestamp": [DAY * 1000, DAY * 1000 + 1500], "id": ["1", "2"], "side": ["buy", "sell"]}
    pl.DataFrame({**columns, "price": [1.0, 2.0], "amount": [5.0, 6.0], "cost": [5.0, 12.0]}).write_ipc(path)
    market = load_history([str(path)], interval=None)
    assert (market.symbols, market.prices.tolist()) == (("XRPETH",), [[1], [1]])


def test_coinbases_answers_are_read_newest_first(load):
    deals = [
        {"time": f"2024-01-01T00:00:0{n}.5Z", "trade_id": n, "price": str(n), "size": "1", "side": "buy"}
        for n in (3, 2, 1)
    ]
    market = load("coinbase_btc_usd.json", json.dumps(deals))
    assert (market.symbols, market.prices[:, 0].tolist()) == (("BTCUSD",), [1, 2])
    assert market.defects == {"reversed": 1}
    advanced = {"trades": [{**deal, "product_id": "BTC-USD"} for deal in deals], "best_bid": "1"}
    assert load("any.json", json.dumps(advanced)).symbols == ("BTC-USD",)


@pytest.mark.parametrize(
    ("path", "inner", "text", "times", "prices"),
    [
        ("daily/spy.zip", "spy.csv", "20240102 00:00,1,1,1,1672500,9\n", [1704171600 + 86400], [167.25]),
        ("hour/spy.zip", "spy.csv", "20240102 09:00,1,1,1,1672500,9\n", [1704207600], [167.25]),
        ("spy.zip", "spy.csv", "20240102 09:00,1,1,1,1672500,9\n", [1704207600], [167.25]),
        ("hour/btcusd_trade.zip", "btcusd.csv", "20240101 01:00,370,378,370,371,9\n", [DAY + 7200], [371]),
        ("daily/eurusd.zip", "eurusd.csv", "20240101 00:00,1,1,1,1.1,0,1,1,1,1.3,0\n", [DAY + 86400], [1.2]),
    ],
)
def test_lean_files_of_hours_and_days_name_their_dates_in_each_row(tmp_path, path, inner, text, times, prices):
    file = tmp_path / "lean" / path
    file.parent.mkdir(parents=True)
    file.write_bytes(zipped(inner, text))
    market = load_history([str(file)], interval=None)
    assert market.times.tolist() == times
    assert market.prices[:, 0].tolist() == pytest.approx(prices)


def test_lean_quotes_that_lack_a_side_are_counted(load):
    text = (
        "34200000,1815000,100,1816000,200,P,0,0\n34201000,0,0,1816000,200,P,0,0\n34202000,1815000,1,1817000,2,P,0,0\n"
    )
    market = load("x.zip", zipped("20240102_ibm_Quote_Tick.csv", text))
    assert (market.symbols, market.defects) == (("IBM",), {"one_sided": 1})
    assert market.prices[:, 0].tolist() == [181.55, 181.55, 181.6]


def test_told_columns_count_by_name_in_any_case_and_by_number(load, tmp_path):
    text = f"{DAY},5,A,1.5\n{DAY + 1},6,A,1.6\n"
    (tmp_path / "m.csv").write_text(text)
    market = load_history([str(tmp_path / "m.csv")], interval=None, columns="time=1,price=4,symbol=3")
    assert (market.symbols, market.prices.tolist()) == (("A",), [[1.5], [1.6]])
    (tmp_path / "n.csv").write_text("Day,Clock,Fair,Last\n2024-01-01,00:00:00,7,1\n2024-01-01,00:00:01,8,2\n")
    market = load_history([f"S={tmp_path / 'n.csv'}"], interval=None, columns="time=day+clock,price=fair+last")
    assert market.prices.tolist() == [[4], [5]]
    assert any("Columns as told" in note for note in market.notes)


def test_told_columns_of_bars_leave_them_bars(tmp_path):
    (tmp_path / "b.csv").write_text(f"time,open,high,low,close\n{DAY},{OHLC},7\n{DAY + 60},{OHLC},8\n")
    market = load_history([f"S={tmp_path / 'b.csv'}"], interval=None, columns="price=high")
    assert (market.times.tolist(), market.prices.tolist()) == ([DAY + 60, DAY + 120], [[9], [9]])


def test_a_checksum_beside_an_archive_is_compared(tmp_path):
    name = "BTCUSDT-trades-2024-01-01.zip"
    path = tmp_path / name
    path.write_bytes(zipped(name, f"1,4.5,5,1,{DAY}010,True,True\n"))
    notes = load_history([str(path)], interval=None).notes
    assert any(f"no {name}.CHECKSUM beside it" in note for note in notes)
    beside = tmp_path / f"{name}.CHECKSUM"
    beside.write_text(f"{'ab' * 32}  {name}\n")
    with pytest.raises(MarketDataError, match="ab" * 32) as refusal:
        load_history([str(path)], interval=None)
    digest = str(refusal.value).rpartition("is ")[2].split(".")[0]
    beside.write_text(f"{digest.upper()}  {name}\n")
    assert any("SHA-256 is the one" in note for note in load_history([str(path)], interval=None).notes)
    beside.write_text("nonsense")
    with pytest.raises(MarketDataError, match="no SHA-256"):
        load_history([str(path)], interval=None)
