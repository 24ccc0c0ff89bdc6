"""Every shipped bot on recorded markets: the sandboxed engine and the plain reference agree."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from arena.core.exchange import Rules
from arena.engine.backtest import report
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.run import BacktestResult, BotSource, backtest, hash_source, seed_of
from arena.feeds.history import load_history
from sandbox.pool import Pool
from tests import reference

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
BOTS = sorted((ROOT / "bots").glob("*.py"))

TICKS = 6_000  # enough for every shipped bot to trade; the plain simulator is slow
MARKETS = {
    "frames": ["ws/binance_spot_btcusdt_20240808.frames.gz", "ws/binance_spot_ethusdt_20240808.frames.gz"],
    "kraken-trades": ["BTCUSDT=trades/kraken_xbtusdt_trades_20251110.json.gz"],
    "binance-bars": [
        "BTCUSDT=bars/binance_um_avaxusdt_1m_20260201_14d.csv.gz",
        "ETHUSDT=bars/binance_um_linkusdt_1m_20260201_14d.csv.gz",
        "bars/binance_um_ltcusdt_1m_20260201_14d.csv.gz",
    ],
    "eurusd-hours": ["BTCUSDT=bars/eurusd_1h_20170419_20180207.csv.gz"],
}


@pytest.fixture(scope="module")
def pool() -> Pool:
    pool = Pool("arena.runtime.bot:BotRuntime")
    pool.start()
    yield pool
    pool.stop()


def market_of(name: str) -> RecordedMarket:
    specs = []
    for spec in MARKETS[name]:
        symbol, _, path = spec.rpartition("=")
        if not (DATA / path).is_file():
            pytest.skip(f"the recorded market {path} is not present")
        specs.append(f"{symbol}={DATA / path}" if symbol else str(DATA / path))
    history = load_history(specs, interval=None)
    rows = np.ascontiguousarray(np.column_stack([history.times, history.prices]))[:TICKS]
    return RecordedMarket(history.symbols, rows)


def synthetic_market(ticks: int = 1500) -> RecordedMarket:
    from arena.feeds.synthetic import SyntheticMarket

    made = SyntheticMarket(5, ["BTCUSDT", "ETHUSDT"], 1.0)
    prices, rows = made.first(), []
    for n in range(ticks):
        prices = made.next(n, prices) if n else prices
        rows.append([1.7e9 + n, prices["BTCUSDT"], prices["ETHUSDT"]])
    return RecordedMarket(("BTCUSDT", "ETHUSDT"), np.array(rows))


def play(pool: Pool, market: RecordedMarket, *, run: int = 512, rules: Rules | None = None) -> list[BacktestResult]:
    candidates = [BotSource(path.name, path.read_bytes()) for path in BOTS]
    return backtest(pool, candidates, market, rules or Rules(), run=run)


def assert_same_fills(result: BacktestResult, market: RecordedMarket, rules: Rules) -> None:
    source = (ROOT / "bots" / result.file).read_text("utf-8")
    seed = seed_of(0, result.name, hash_source(source.encode()))
    times = [market.time(n) for n in range(len(market))]
    prices = [market.prices(n) for n in range(len(market))]
    plain = reference.run(
        source, times, prices, seed=seed, starting_cash=rules.starting_cash,
        fee_bps=rules.fee_bps, slippage_bps=rules.slippage_bps,
    )  # fmt: skip
    assert result.play is not None
    ours = [
        (t.time, t.fill.symbol, t.fill.side.value, t.fill.size, t.fill.price, t.fill.cash_after)
        for t in result.play.ledger.trades
    ]
    theirs = [(f.time, f.symbol, f.side, f.size, f.price, f.cash_after) for f in plain.fills]
    assert len(ours) == len(theirs), result.name
    for mine, other in zip(ours, theirs, strict=True):
        assert mine[:3] == other[:3]
        assert all(math.isclose(a, b, rel_tol=1e-9) for a, b in zip(mine[3:], other[3:], strict=True))
    assert math.isclose(result.play.account.cash, plain.cash, rel_tol=1e-9)
    assert math.isclose(result.play.equity, plain.equity, rel_tol=1e-9)


@pytest.mark.parametrize("name", MARKETS)
def test_shipped_bots_trade_as_in_plain_python(pool: Pool, name: str) -> None:
    market = market_of(name)
    for result in play(pool, market):
        assert result.status == "ok"
        assert_same_fills(result, market, Rules())
        if set(result.symbols) <= set(market.symbols):
            assert result.play is not None
            assert result.play.ledger.trades, f"{result.name} made no trade on {name}"


def test_fees_and_slippage_match_the_reference(pool: Pool) -> None:
    market, rules = synthetic_market(), Rules(5_000.0, 10.0, 5.0)
    for result in play(pool, market, rules=rules):
        assert_same_fills(result, market, rules)


def test_the_same_run_twice_is_byte_identical(pool: Pool, tmp_path: Path) -> None:
    market, written = synthetic_market(), []
    for number in range(2):
        results = play(pool, market)
        path = tmp_path / f"{number}.csv"
        report.write_csv(path, report.ORDER_COLUMNS, report.order_rows(results))
        written.append((path.read_bytes(), report.trade_rows(results), report.log_rows(results)))
    assert written[0] == written[1]
    assert len(written[0][1]) > 50


def test_lockstep_and_run_ahead_give_the_same_orders(pool: Pool) -> None:
    market = synthetic_market(600)
    ahead, lockstep = play(pool, market), play(pool, market, run=1)
    assert report.order_rows(ahead) == report.order_rows(lockstep)
    assert report.log_rows(ahead) == report.log_rows(lockstep)
    for one, other in zip(ahead, lockstep, strict=True):
        assert one.play is not None
        assert other.play is not None
        assert one.play.ledger.equity == other.play.ledger.equity
        assert one.play.score == other.play.score
