"""The figures of a backtest that users of backtesting libraries look for, against figures worked out by hand."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest

from arena.core.exchange import Rules
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.run import BotSource, backtest
from arena.engine.backtest.summary import round_trips, summary
from sandbox.pool import Pool
from tests.arenas import bot_source

PRICES = [100.0 + (n % 7) - (n % 11) * 0.5 for n in range(600)]
BODY = """
n = ctx.get_position("A")
if n == 0:
    ctx.submit_order("A", "BUY", 10)
elif tick["time"] % 1500 == 0:
    ctx.submit_order("A", "SELL", n)
"""


@pytest.fixture
def market() -> RecordedMarket:
    return RecordedMarket(("A",), np.array([[300.0 * n, price] for n, price in enumerate(PRICES)]))


def test_the_summary_is_what_the_record_says(pool: Pool, market: RecordedMarket) -> None:
    source = bot_source(BODY, name="Tripper", symbols='["A"]').encode()
    (result,) = backtest(pool, [BotSource("t.py", source)], market, Rules(10_000.0, 10.0, 0.0))
    play = result.play
    assert play is not None
    trips = round_trips(play)
    fills = [trade.fill for trade in play.ledger.trades]
    pairs = list(zip(fills[::2], fills[1::2], strict=False))
    assert len(trips) == len(pairs) > 10
    for trip, (bought, sold) in zip(trips, pairs, strict=True):
        paid = bought.size * bought.price + bought.fee
        assert trip["pnl"] == pytest.approx(sold.size * sold.price - sold.fee - paid)
        assert trip["pnl_pct"] == pytest.approx(trip["pnl"] / paid * 100)
    found = summary(play, market, 1.5)
    profits = [trip["pnl"] for trip in trips]
    assert found["round_trips"] == len(trips)
    assert found["win_rate_pct"] == pytest.approx(100 * sum(p > 0 for p in profits) / len(profits))
    assert found["expectancy"] == pytest.approx(statistics.fmean(profits))
    assert found["profit_factor"] == pytest.approx(sum(p for p in profits if p > 0) / -sum(p for p in profits if p < 0))
    assert found["fees"] == pytest.approx(sum(fill.fee for fill in fills))
    assert found["buy_and_hold_pct"] == 1.5
    assert (found["start"], found["end"], found["ticks"]) == (0.0, 300.0 * 599, 600)
    curve = play.ledger.score_points
    returns = [after / before - 1 for before, after in itertools.pairwise(curve)]
    ratio = statistics.fmean(returns) / statistics.stdev(returns)
    years = play.score.metrics(curve[-1], play.account.fees).periods_a_year
    assert years is not None
    half = 1.96 * math.sqrt((1 + ratio**2 / 2) / len(returns)) * math.sqrt(years)
    assert found["sharpe"] == pytest.approx(ratio * math.sqrt(years), rel=1e-3)
    assert found["sharpe_high"] - found["sharpe_low"] == pytest.approx(2 * half)


def test_a_bot_that_never_trades_has_no_figures_of_trades(pool: Pool, market: RecordedMarket) -> None:
    (result,) = backtest(
        pool, [BotSource("i.py", bot_source(name="Idle", symbols='["A"]').encode())], market, Rules(10_000.0)
    )  # fmt: skip
    assert result.play is not None
    found = summary(result.play, market, None)
    assert found["round_trips"] == 0
    assert [found[name] for name in ("win_rate_pct", "best_pct", "worst_pct", "profit_factor", "expectancy")] == [
        None
    ] * 5
    assert found["sharpe"] is None
    assert found["max_drawdown_pct"] == 0.0
