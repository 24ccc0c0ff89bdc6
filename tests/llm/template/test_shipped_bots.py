"""The seven shipped bots over recorded markets."""

from __future__ import annotations

import ast
import csv
import gzip
import json
import random
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data"
NAMES = {
    "example_random": "Random Trader",
    "example_trend": "Trend Follower",
    "momentum_bot": "Momentum",
    "mean_reversion_bot": "Mean Reversion",
    "breakout_bot": "Breakout",
    "arbitrage_bot": "Ratio Arbitrage",
    "buy_and_hold": "Buy and Hold",
}


def source(name: str) -> str:
    return (ROOT / "bots" / f"{name}.py").read_text()


def recorded(path: str) -> Path:
    file = DATA / path
    if not file.exists():
        pytest.skip(f"no recorded market {path} beside the repository")
    return file


def bars(path: str, column: str) -> list[float]:
    with gzip.open(recorded(path), "rt") as lines:
        rows = csv.DictReader(lines)
        key = next(n for n in rows.fieldnames or () if n.strip().lower() == column)
        return [float(row[key]) for row in rows]


def seconds(path: str) -> list[float]:
    """Last trade of each second, carried forward."""
    last: dict[int, float] = {}
    with gzip.open(recorded(path), "rt") as lines:
        for line in lines:
            stamp, _, frame = line.partition(" ")
            if "@trade" in frame:
                last[int(stamp) // 10**9] = float(json.loads(frame)["data"]["p"])
    return carried(last)


def carried(last: dict[int, float]) -> list[float]:
    out: list[float] = []
    for second in range(min(last), max(last) + 1):
        out.append(last.get(second, out[-1] if out else 0.0))
    return out


def kraken() -> list[float]:
    with gzip.open(recorded("trades/kraken_xbtusdt_trades_20251110.json.gz"), "rt") as file:
        body = json.load(file)
    result = body.get("result", body)
    rows = next(v for v in result.values() if isinstance(v, list))
    return carried({int(row[2]): float(row[0]) for row in rows})


def paired(btc: list[float]) -> list[dict[str, float]]:
    """A second series that wanders against the first, where no ETH was recorded."""
    chance = random.Random(5)
    ratio, out = 0.05, []
    for i, price in enumerate(btc):
        changed = i == 0 or price != btc[i - 1]
        ratio *= 1 + (chance.gauss(0, 0.0002) if changed else 0.0)
        out.append({"BTCUSDT": price, "ETHUSDT": price * ratio})
    return out


def frames() -> list[dict[str, float]]:
    btc = seconds("ws/binance_spot_btcusdt_20240808.frames.gz")
    eth = seconds("ws/binance_spot_ethusdt_20240808.frames.gz")
    return [{"BTCUSDT": b, "ETHUSDT": e} for b, e in zip(btc, eth, strict=False)]


def quiet() -> list[dict[str, float]]:
    """Five minutes of seconds at one to three basis points, from a seed."""
    chance = random.Random(11)
    btc, eth, out = 69_000.0, 3_500.0, []
    for _ in range(300):
        btc *= 1 + chance.gauss(0, 0.0001)
        eth *= 1 + chance.gauss(0, 0.0003)
        out.append({"BTCUSDT": btc, "ETHUSDT": eth})
    return out


MARKETS = {
    "five minutes of seconds": quiet,
    "binance seconds": frames,
    "kraken seconds, mostly unchanged": lambda: paired(kraken()),
    "eurusd hours": lambda: paired(bars("bars/eurusd_1h_20170419_20180207.csv.gz", "close")),
    "avax minutes": lambda: paired(bars("bars/binance_um_avaxusdt_1m_20260201_14d.csv.gz", "close")[:5000]),
    "btc minutes": lambda: paired(bars("bars/ftx_btcperp_1m_20211231_20220201.csv.gz", "close")[:5000]),
}


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_bot_trades_on_every_kind_of_market(play, name, market):
    played = play(source(name), MARKETS[market]())
    assert played.fills
    assert len(played.rejected) * 20 <= len(played.orders)
    assert played.cash >= 0
    assert {side for _, side in played.turns()} <= {"BUY", "SELL"}


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_bot_keeps_the_contract(name):
    tree = ast.parse(source(name))
    values = {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in {"NAME", "SYMBOLS"}
    }
    assert values["NAME"] == NAMES[name]
    expected = {"BTCUSDT", "ETHUSDT"} if name == "arbitrage_bot" else {"BTCUSDT"}
    assert set(values["SYMBOLS"]) == expected
    assert ast.get_docstring(tree)


def test_exactly_these_bots_are_shipped():
    assert {file.stem for file in (ROOT / "bots").glob("*.py")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_bot_bears_missing_prices_and_an_empty_purse(play, name):
    gaps = [{}, {"ETHUSDT": 3_500.0}, *quiet()[:100], {}, *quiet()[100:]]
    play(source(name), gaps)
    assert not play(source(name), quiet(), cash=0.0).orders


def test_the_trend_follower_buys_its_fixed_size_above_the_mean_and_sells_all_below(play):
    path = [100.0] * 10 + [101.0, 102.0, 90.0, 80.0]
    played = play(source("example_trend"), [{"BTCUSDT": p} for p in path])
    assert played.orders == [(10, "BTCUSDT", "BUY", 0.005), (12, "BTCUSDT", "SELL", 0.005)]


def test_the_random_trader_acts_at_about_one_tick_in_fifteen_with_its_fixed_size(play):
    played = play(source("example_random"), quiet() * 10)
    # One tick in ten it draws a choice, and one choice in three is to do nothing.
    assert 140 <= len(played.orders) <= 260
    assert {size for _, _, side, size in played.orders if side == "BUY"} == {0.001}


def test_the_random_trader_stops_buying_near_a_hundred_dollars(play):
    assert not play(source("example_random"), quiet() * 3, cash=100.0).orders


def test_buy_and_hold_buys_once_and_keeps(play):
    assert play(source("buy_and_hold"), quiet()).turns() == [(0, "BUY")]
