"""Real files: what their own README states about them, and what one file proves of another."""

from __future__ import annotations

import gzip
import json
import math
import zipfile

import numpy as np
import pytest

from arena.feeds.history import load_history


def lines_of(path: str) -> list[str]:
    with gzip.open(path, "rt") as file:
        return file.read().splitlines()


@pytest.mark.parametrize(
    ("name", "symbol", "ticks"),
    [
        ("bars/binance_um_avaxusdt_1m_20260201_14d.csv.gz", None, 20160),
        ("bars/ftx_btcperp_1m_20211231_20220201.csv.gz", "BTCPERP", 45031),
        ("bars/kraken_xbtusdt_1m_20251110.json.gz", None, 721),
        ("bars/lean_coinbase_btcusd_second_20161007_trade.zip", None, 4063),
        ("bars/lean_equity_spy_second_20131007_quote.zip", None, 27409),
        ("bars/eurusd_1h_20170419_20180207.csv.gz", None, 5000),
        ("bars/goog_1d_2004_2013.csv.gz", "GOOG", 2148),
        ("messy/unittest_btc_1m_201711.json.gz", None, 13681),
        ("messy/spy_1m_extended_hours_201101.csv.gz", "SPY", 14180),
        ("messy/binance_adabtc_1m_20211127.csv", None, 10),
        ("messy/orcl_1d_2000_newest_first.csv", "ORCL", 252),
    ],
)
def test_every_bar_is_one_tick(shared, name, symbol, ticks):
    path = shared(name)
    market = load_history([f"{symbol}={path}" if symbol else path], interval=None)
    assert len(market.times) == ticks
    assert np.isfinite(market.prices).all()
    assert (np.diff(market.times) > 0).all()


@pytest.mark.parametrize(
    ("name", "kind", "number"),
    [
        ("bars/kraken_xbtusdt_1m_20251110.json.gz", "zero_volume", 216),
        ("bars/eurusd_1h_20170419_20180207.csv.gz", "gaps", 42),
        ("messy/unittest_btc_1m_201711.json.gz", "gaps", 538),
        ("messy/unittest_btc_1m_201711.json.gz", "missing_bars", 717),
        ("messy/spy_1m_extended_hours_201101.csv.gz", "gaps", 1435),
        ("messy/orcl_1d_2000_newest_first.csv", "reversed", 1),
        ("messy/binance_spot_trxusdt_trades_20250304_faulty.csv.gz", "clock_jump", 1),
        ("messy/binance_spot_trxusdt_trades_20250304_faulty.csv.gz", "repeated_id", 1),
        ("messy/kraken_bcheur_trades.csv", "identical", 1),
        ("messy/kraken_bcheur_trades_q2.csv", "identical", 48),
        ("bars/lean_coinbase_btcusd_minute_20180404_trade.zip", "truncated_day", 1),
        ("ws/binance_spot_20241220_with_reconnects.barter.json", "reconnects", 3),
    ],
)
def test_known_defects_are_counted(shared, name, kind, number):
    path = shared(name)
    named = "ORCL=" if "orcl" in name else "SPY=" if "spy_1m" in name else ""
    assert load_history([named + path], interval=None).defects[kind] == number


@pytest.mark.parametrize(
    ("name", "symbols", "ticks"),
    [
        ("trades/coinbase_btcusd_trades_20230905.csv.gz", ("BTC-USD",), 3597),
        ("trades/kraken_xbtusdt_trades_20251110.json.gz", ("XBTUSDT",), 24602),
        ("trades/binance_spot_trxusdt_trades_20250304.csv.gz", ("TRXUSDT",), 2878),
        ("trades/binance_xrpeth_trades_20191011.json.gz", ("XRPETH",), 213557),
        ("trades/mtgox_btcusd_trades_20130101.csv.gz", ("BTCUSD",), 86052),
        ("trades/lean_equity_ibm_tick_20131007_trade.zip", ("IBM",), 55537),
        ("messy/kraken_bcheur_trades.csv", ("BCHEUR",), 83752),
    ],
)
def test_trades_are_sampled_every_second(shared, name, symbols, ticks):
    market = load_history([shared(name)], interval=None)
    assert (market.symbols, len(market.times)) == (symbols, ticks)
    assert (np.diff(market.times) == 1).all()


def test_the_nasdaq_stream_holds_nine_shares(shared):
    market = load_history([shared("trades/nasdaq_last_prices_20230905.csv.gz")], interval=None)
    assert len(market.symbols) == 9
    assert len(market.times) == 3600


def test_kraken_trades_by_the_minute_are_krakens_own_minute_bars(shared):
    path = shared("trades/kraken_xbtusdt_trades_20251110.json.gz")
    deals = load_history([path], interval=60)
    bars = load_history([shared("bars/kraken_xbtusdt_1m_20251110.json.gz")], interval=None)
    body = json.loads("\n".join(lines_of(path)))
    first = math.ceil(body["result"]["XBTUSDT"][0][2] / 60) * 60
    # A trade on the border belongs to the next bar, but to the tick of its own time.
    border = {float(row[2]) for row in body["result"]["XBTUSDT"] if float(row[2]) % 60 == 0}
    common = [t for t in deals.times if t > first and t in bars.times and t not in border]
    assert len(common) > 350
    at = np.searchsorted(deals.times, common)
    of = np.searchsorted(bars.times, common)
    assert (deals.prices[at] == bars.prices[of]).all()


def test_spy_seconds_close_their_minutes_as_the_minute_file_does(shared):
    seconds = load_history([shared("bars/lean_equity_spy_second_20131007_trade.zip")], interval=None)
    minutes = load_history([shared("bars/lean_equity_spy_minute_20131007_trade.zip")], interval=None)
    assert len(minutes.times) == 828
    at = np.searchsorted(seconds.times, minutes.times, side="right") - 1
    assert (seconds.prices[at] == minutes.prices).all()


@pytest.mark.parametrize("symbol", ["btcusdt", "ethusdt"])
def test_frames_give_the_last_trade_price_of_each_second(shared, symbol):
    path = shared(f"ws/binance_spot_{symbol}_20240808.frames.gz")
    market = load_history([path], interval=None)
    last: dict[int, float] = {}
    for line in lines_of(path):
        stamp, _, text = line.partition(" ")
        if '"e":"trade"' in text:
            second = -(-int(stamp) // 10**9)
            last[second] = float(json.loads(text)["data"]["p"])
    final = int(lines_of(path)[-1].split(" ")[0]) // 10**9
    seen = [second for second in sorted(last) if second <= final]
    assert market.times[0] == seen[0]
    at = np.searchsorted(market.times, seen)
    assert market.prices[at, 0].tolist() == [last[second] for second in seen]
    assert not market.defects


@pytest.mark.system
def test_two_frame_files_make_one_market(shared):
    specs = [shared(f"ws/binance_spot_{s}usdt_20240808.frames.gz") for s in ("btc", "eth")]
    market = load_history(specs, interval=None)
    assert market.symbols == ("BTCUSDT", "ETHUSDT")
    assert len(market.times) == 345


def test_a_week_of_lean_files_is_one_series(shared):
    names = [f"bars/lean_equity_spy_minute_201310{day:02}_trade.zip" for day in range(7, 12)]
    market = load_history([shared(name) for name in names], interval=None)
    assert market.symbols == ("SPY",)
    assert len(market.times) == 828 + 828 + 813 + 883 + 776


def test_every_lean_row_is_one_tick(shared):
    path = shared("bars/lean_coinbase_ethusd_minute_20180405_quote.zip")
    with zipfile.ZipFile(path) as archive:
        rows = archive.read(archive.namelist()[0]).decode().split("\n")
    market = load_history([path], interval=None)
    assert len(market.times) == len([row for row in rows if row])


@pytest.mark.parametrize(
    "name",
    [
        "ws/binance_spot_multi_20211012.cryptofeed.gz",
        "ws/coinbase_multi_20210417.cryptofeed.gz",
        "ws/binance_messages.crypto-msg-parser.jsonl",
        "ws/alpaca_stock_stream_transcript.jsonl",
    ],
)
def test_other_captures_give_prices(shared, name):
    market = load_history([shared(name)], interval=None)
    assert len(market.times)
    assert np.isfinite(market.prices).any()
