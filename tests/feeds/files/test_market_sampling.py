from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arena.errors import MarketDataError
from arena.feeds.files.naming import period_end, split_spec, symbol_of
from arena.feeds.history import load_history

DAY = 1704067200


def trades(*rows: tuple[float, float]) -> str:
    return "time,price,amount\n" + "".join(f"{DAY + t!r},{p},1\n" for t, p in rows)


def bars(*rows: tuple[float, float]) -> str:
    body = "".join(f"{DAY + t},{p},{p},{p},{p}\n" for t, p in rows)
    return "time,open,high,low,close\n" + body


def market(tmp_path: Path, *files: tuple[str, str], interval: float | None = None, grid=1.0):
    specs = []
    for number, (symbol, text) in enumerate(files):
        path = tmp_path / f"{number}.csv"
        path.write_text(text)
        specs.append(f"{symbol}={path}")
    return load_history(specs, interval=interval, default_interval=grid)


def test_trades_tick_at_every_grid_point_up_to_the_last_price(tmp_path):
    found = market(tmp_path, ("S", trades((0.2, 1), (0.9, 2), (1.0, 3), (3.5, 4))))
    assert (found.times - DAY).tolist() == [1, 2, 3]
    assert found.prices[:, 0].tolist() == [3, 3, 3]


def test_a_first_price_on_the_grid_is_the_first_tick(tmp_path):
    found = market(tmp_path, ("S", trades((0, 1), (1, 2), (2, 3))))
    assert (found.times - DAY).tolist() == [0, 1, 2]


def test_a_market_between_two_grid_points_gets_the_next_one(tmp_path):
    found = market(tmp_path, ("S", trades((0.2, 1), (0.4, 2))))
    assert (found.times - DAY).tolist() == [1]
    assert found.prices.tolist() == [[2]]


@pytest.mark.parametrize("interval", [0.1, 0.25, 0.3, 1.0, 7.0, 60.0])
def test_every_grid_point_is_a_multiple_of_the_interval(tmp_path, interval):
    rows = trades(*((float(t), t + 1.0) for t in np.arange(0.05, 300, 0.7)))
    found = market(tmp_path, ("S", rows), interval=interval)
    numbers = np.round(found.times / interval)
    assert (numbers * interval == found.times).all()
    assert (np.diff(numbers) == 1).all()
    assert found.times[0] >= DAY + 0.05 > found.times[0] - interval


def test_the_default_interval_is_for_trades_and_not_for_bars(tmp_path):
    rows = ((0, 1), (60, 2), (120, 3))
    assert len(market(tmp_path, ("S", trades(*rows)), grid=60).times) == 3
    assert len(market(tmp_path, ("S", bars(*rows)), grid=7).times) == 3


def test_an_interval_resamples_bars_and_tables_too(tmp_path):
    found = market(tmp_path, ("S", bars((0, 1), (60, 2))), interval=30)
    assert (found.times - DAY).tolist() == [60, 90, 120]
    assert found.prices[:, 0].tolist() == [1, 1, 2]


def test_equal_trades_are_kept_and_the_last_of_a_time_counts(tmp_path):
    found = market(tmp_path, ("S", trades((0, 1), (1, 2), (1, 2), (1, 3))))
    assert found.prices[:, 0].tolist() == [1, 3]
    assert found.defects == {"identical": 1}


def test_files_of_bars_keep_their_own_times_side_by_side(tmp_path):
    found = market(tmp_path, ("A", bars((0, 1), (60, 2))), ("B", bars((30, 5), (60, 6))))
    assert (found.times - DAY).tolist() == [60, 90, 120]
    assert str(found.prices.tolist()) == "[[1.0, 5.0], [1.0, 6.0], [2.0, 6.0]]"


def test_one_file_of_trades_puts_the_whole_market_on_the_grid(tmp_path):
    found = market(tmp_path, ("A", bars((0, 1), (60, 2))), ("B", trades((59.5, 9), (63, 8))))
    assert (found.times - DAY).tolist() == list(range(60, 121))
    assert found.prices[0].tolist() == [1, 9]
    assert found.prices[-1].tolist() == [2, 8]


def test_the_later_file_wins_where_both_have_a_time(tmp_path):
    found = market(tmp_path, ("S", bars((0, 1), (60, 2))), ("S", bars((60, 7), (120, 8))))
    assert found.prices[:, 0].tolist() == [1, 7, 8]
    assert found.defects == {"overridden": 1}


def test_files_of_one_symbol_may_be_named_in_any_order(tmp_path):
    found = market(tmp_path, ("S", bars((120, 3), (180, 4))), ("S", bars((0, 1), (60, 2))))
    assert found.prices[:, 0].tolist() == [1, 2, 3, 4]


def test_a_jump_of_the_clock_is_named_and_kept(tmp_path):
    rows = [(float(t), 1.0) for t in range(20)] + [(86400.0, 2.0)]
    found = market(tmp_path, ("S", trades(*rows)))
    assert found.defects == {"clock_jump": 1}
    assert len(found.times) == 86401


def test_a_market_beyond_all_memory_is_refused_with_the_flag_that_helps(tmp_path):
    with pytest.raises(MarketDataError, match="--interval") as refusal:
        market(tmp_path, ("S", trades((0, 1), (5e8, 2))))
    assert refusal.value.usage


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf")])
def test_an_interval_that_is_not_above_zero_is_refused(tmp_path, interval):
    with pytest.raises(MarketDataError, match="above 0"):
        market(tmp_path, ("S", trades((0, 1))), interval=interval)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("BTCUSDT-1m-2025-01.zip", "BTCUSDT"),
        ("1000SHIBUSDT-trades-2025-01-02.csv", "1000SHIBUSDT"),
        ("BTCUSD_PERP-aggTrades-2024-01.csv.gz", "BTCUSD_PERP"),
        ("kraken_xbtusdt_1m_20251110.json.gz", "XBTUSDT"),
        ("binance_um_avaxusdt_1m_14d.csv.gz", "AVAXUSDT"),
        ("eurusd_1h_2017.csv", "EURUSD"),
        ("EURUSD60.csv", "EURUSD"),
        ("XRP_ETH-trades.json.gz", "XRPETH"),
        ("ETH_USDT_USDT-1h-futures.json", "ETHUSDT"),
        ("binance_eth_usdt.csv", "ETHUSDT"),
        ("BTC-USD.csv", "BTCUSD"),
        ("goog_1d_2004_2013.csv.gz", None),
        ("trades.csv", None),
        ("usd.csv", None),
    ],
)
def test_symbols_of_file_names(name, symbol):
    assert symbol_of([name]) == symbol


def test_a_file_that_does_not_say_its_symbol_names_the_flag(load):
    with pytest.raises(MarketDataError, match="--data SYMBOL=") as refusal:
        load("goog.csv", bars((0, 1)))
    assert refusal.value.usage


def test_a_symbol_given_by_flag_renames_a_single_symbol_and_picks_one_of_several(load):
    text = "time,symbol,price\n1,A,1\n2,B,2\n3,A,3\n"
    assert load("m.csv", text.replace("B", "A"), symbol="X").symbols == ("X",)
    picked = load("m.csv", text, symbol="A")
    assert (picked.symbols, picked.times.tolist()) == (("A",), [1, 3])
    assert picked.defects == {"other_symbols": 1}
    with pytest.raises(MarketDataError, match="2 symbols"):
        load("m.csv", text, symbol="X")


def test_a_path_with_an_equals_sign_is_a_path_if_it_exists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.csv").write_text("x")
    assert split_spec("a=b.csv") == (None, "a=b.csv")
    assert split_spec("a=c.csv") == ("a", "c.csv")
    assert split_spec("BTC/USD=c=d.csv") == ("BTC/USD", "c=d.csv")


def test_bulk_names_say_when_their_period_ends():
    assert period_end(["S-1m-2024-12.zip"]) == 1735689600
    assert period_end(["S-trades-2024-12-31.zip"]) == 1735689600
    assert period_end(["S.zip"]) is None
