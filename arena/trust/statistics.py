"""Everything that can honestly be said of one bot's returns, each figure with its formula and source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine, select

from arena.core.exchange import Rules
from arena.core.seeds import seed_of
from arena.core.statistics import ratios
from arena.core.statistics.bootstrap import sharpe_interval
from arena.core.statistics.sharpe import (
    deflated_sharpe,
    expected_best_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
)
from arena.store import queries
from arena.store.bulk import table_of
from arena.store.models import Trade
from arena.trust.luck import MIN_LOTS, lots_of, luck_floor, luck_words
from arena.trust.series import SeasonSeries, read_series
from arena.trust.trials import effective_of, trials_of

Floats = npt.NDArray[np.float64]

_GRID = 5000  # ticks that prices are looked up at
# Name, unit, formula, source.
_FORMULAS: dict[str, tuple[str, str, str]] = {
    "sharpe": ("ratio a year", "mean(r)/sd(r) · √periods a year", "Sharpe 1994"),
    "sortino": ("ratio a year", "mean(r)/√mean(min(r, 0)²) · √periods a year", "Sortino, Price 1994"),
    "calmar": ("ratio", "annual growth/maximum drawdown", "Young 1991"),
    "volatility_pct": ("% a year", "sd(r) · √periods a year", "ddof 1"),
    "max_drawdown_pct": ("%", "max over time of 1 − equity/highest equity so far", "at score points"),
    "drawdown_periods": ("periods", "length of the deepest drawdown, peak to recovery", "at score points"),
    "drawdown_now_pct": ("%", "1 − equity/highest equity so far", "at score points"),
    "best_period_pct": ("%", "max(r)", ""),
    "worst_period_pct": ("%", "min(r)", ""),
    "profit_factor": ("ratio", "Σ gains/Σ losses of sells", "realised, before fees"),
    "expectancy": ("quote currency", "mean realised profit of a sell", "before fees"),
    "hit_rate_pct": ("%", "share of sells with a gain", "before fees"),
    "best_trade": ("quote currency", "largest realised profit of a sell", "before fees"),
    "worst_trade": ("quote currency", "smallest realised profit of a sell", "before fees"),
    "holding_seconds": ("seconds", "mean time from buy to sell, by size, first in first out", ""),
    "psr": ("probability", "Φ((SR − 0)/√V)", "Bailey, López de Prado 2012; V of SSRN 5520741"),
    "dsr": ("probability", "PSR at the best that K skill-less trials would show", "Bailey, López de Prado 2014"),
    "min_track_record": ("periods", "T · V · (1.645/SR)²", "Bailey, López de Prado 2012"),
}
_OF_RETURNS = frozenset({
    "sharpe", "sortino", "calmar", "volatility_pct", "psr", "dsr", "min_track_record",
})  # fmt: skip


def bot_statistics(engine: Engine, season_id: str, bot_id: str) -> dict[str, Any]:
    """Return the statistics of a bot in a season, as of its last score point."""
    season = queries.season_row(engine, season_id)
    row = queries.bot_row(engine, season_id, bot_id)
    series = read_series(engine, season)
    equity = series.equity(bot_id)
    returns = ratios.returns_of(equity)
    needs = ratios.needs(len(returns))
    values = {**_of_equity(series, equity, returns), **_of_trades(_trades(engine, season_id, bot_id))}
    trials = trials_of(engine, bot_id)
    effective, sharpes = effective_of(series, trials.bots)
    values |= _of_luck(returns, trials.count, sharpes)
    luck = _luck(engine, season, row, bot_id)
    interval = sharpe_interval(returns, seed=seed_of(season_id, bot_id, "interval") % 2**32)
    return {
        "bot_id": bot_id, "name": row["name"], "season": season["number"],
        "periods": len(returns), "score_interval": season["score_interval"],
        "periods_a_year": series.periods_a_year if needs is None else None, "needs": needs,
        "figures": [
            {
                "name": name, "value": None if needs and name in _OF_RETURNS else _finite(values.get(name)),
                "unit": unit, "formula": formula, "source": source,
                "needs": needs if name in _OF_RETURNS else None,
            }
            for name, (unit, formula, source) in _FORMULAS.items()
        ],
        "sharpe_a_period": None if needs else ratios.sharpe_ratio(returns),
        "sharpe_a_period_interval": None if interval is None else list(interval),
        "trials": {
            "k": trials.count, "k_effective": effective, "versions": trials.versions, "samples": trials.samples,
            "repairs": trials.repairs, "evolved": trials.evolved,
        },
        "verdict": row["verdict"], "verdict_next": row["verdict_next"], "benchmark": season["benchmark"],
        "excess_pct": row["excess_pct"], "batches": row["batches"],
        "luck": {**luck, "words": luck_words(luck)},
        "words": _words(row, needs, season["benchmark"]),
    }  # fmt: skip


def _luck(engine: Engine, season: dict[str, Any], row: dict[str, Any], bot_id: str) -> dict[str, Any]:
    """Return the floor of luck of a bot, on a grid of at most 5,000 of the season's ticks."""
    lots = lots_of(_trades(engine, season["id"], bot_id))
    ticks = queries.price_history(engine, season["id"], _GRID) if len(lots) >= MIN_LOTS else []
    times = np.array([tick["time"] for tick in ticks])
    series = {
        symbol: np.array([tick["prices"].get(symbol, math.nan) for tick in ticks], dtype=np.float64)
        for symbol in {lot.symbol for lot in lots}
    }
    rules = Rules(season["starting_cash"], season["fee_bps"], season["slippage_bps"])
    began = min((lot.bought for lot in lots), default=0.0)
    since = min(began, row["admitted_at"]) if times.size and times[0] <= row["admitted_at"] <= times[-1] else 0.0
    return luck_floor(lots, times, series, rules, seed_of(season["id"], bot_id, "luck") % 2**32, since)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def _words(row: dict[str, Any], needs: str | None, benchmark: str) -> str:
    said = {
        "ahead": f"Ahead of {benchmark} by more than luck, at every look so far.",
        "behind": f"Behind {benchmark} by more than luck, at every look so far.",
        "equivalent": f"As good as {benchmark}: the difference is less than one round trip costs.",
    }.get(str(row["verdict"]), f"Not told apart from {benchmark} yet.")
    return f"{said} Figures of returns: {needs}." if needs else said


def _of_equity(series: SeasonSeries, equity: Floats, returns: Floats) -> dict[str, float | None]:
    fall = ratios.drawdown(equity)
    found: dict[str, float | None] = {
        "max_drawdown_pct": fall.depth * 100.0, "drawdown_periods": float(fall.length),
        "drawdown_now_pct": fall.now * 100.0,
        "best_period_pct": float(returns.max()) * 100.0 if len(returns) else None,
        "worst_period_pct": float(returns.min()) * 100.0 if len(returns) else None,
    }  # fmt: skip
    a_year = series.periods_a_year
    if a_year is None:
        return found
    root = math.sqrt(a_year)
    sharpe, sortino = ratios.sharpe_ratio(returns), ratios.sortino_ratio(returns)
    spread = ratios.volatility(returns, a_year)
    return {
        **found,
        "sharpe": None if sharpe is None else sharpe * root,
        "sortino": None if sortino is None else sortino * root,
        "calmar": ratios.calmar_ratio(returns, fall.depth, a_year),
        "volatility_pct": None if spread is None else spread * 100.0,
    }


def _of_luck(returns: Floats, count: int, sharpes: Floats) -> dict[str, float | None]:
    sharpe = ratios.sharpe_ratio(returns)
    if sharpe is None:
        return {}
    moments = ratios.moments(returns)
    # One track record tells nothing of how Sharpe ratios spread; then it is that of chance alone, 1/T.
    variance = float(np.var(sharpes, ddof=1)) if len(sharpes) > 1 else 1.0 / moments.count
    return {
        "psr": probabilistic_sharpe(sharpe, 0.0, moments),
        "dsr": deflated_sharpe(sharpe, moments, variance, count),
        "min_track_record": minimum_track_record(sharpe, expected_best_sharpe(variance, count), moments),
    }


def _trades(engine: Engine, season_id: str, bot_id: str) -> Sequence[Any]:
    table = table_of(Trade)
    columns = table.c.time, table.c.symbol, table.c.side, table.c.size, table.c.realized_pnl
    query = select(*columns).where(table.c.season_id == season_id, table.c.bot_id == bot_id).order_by(table.c.id)
    with engine.connect() as connection:
        return connection.execute(query).all()


def _of_trades(trades: Sequence[Any]) -> dict[str, float | None]:
    figures = ratios.trade_figures(np.array([trade.realized_pnl for trade in trades if trade.side == "SELL"]))
    return {
        "profit_factor": figures.profit_factor, "expectancy": figures.expectancy,
        "hit_rate_pct": None if figures.hit_rate is None else figures.hit_rate * 100.0,
        "best_trade": figures.best, "worst_trade": figures.worst, "holding_seconds": holding_seconds(trades),
    }  # fmt: skip


def holding_seconds(trades: Sequence[Any]) -> float | None:
    """Return the mean time from buy to sell, weighted by size over price-free units sold, first in first out."""
    open_lots: dict[str, list[list[float]]] = {}
    held, closed = 0.0, 0
    for trade in trades:
        lots = open_lots.setdefault(trade.symbol, [])
        if trade.side == "BUY":
            lots.append([trade.time, trade.size])
            continue
        left, weighted = trade.size, 0.0
        while left > 0.0 and lots:
            taken = min(left, lots[0][1])
            weighted += taken * (trade.time - lots[0][0])
            left -= taken
            lots[0][1] -= taken
            if lots[0][1] <= 0.0:
                lots.pop(0)
        # Sizes of different symbols cannot be added, so each sell counts once.
        held += weighted / trade.size
        closed += 1
    return held / closed if closed else None
