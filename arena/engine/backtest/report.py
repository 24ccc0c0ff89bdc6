"""A backtest as JSON, CSV and JSON lines: floats by `repr`, LF line ends, empty cells for null."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from arena.core.exchange import Rules
from arena.core.orders import Side
from arena.core.text import clean_line, csv_cell
from arena.engine.backtest.account import BacktestAccount, RecordedMarket, rejected_count
from arena.engine.backtest.run import BacktestResult
from arena.engine.rows import LogColumns, log_row

Row = dict[str, Any]

TRADE_COLUMNS = (
    "id", "time", "bot_name", "symbol", "side", "size", "price", "cash_after", "position_after",
    "fee", "realized_pnl",
)  # fmt: skip
ORDER_COLUMNS = (
    "time", "bot_name", "symbol", "side", "size", "status", "reason", "fill_time", "fill_price",
    "fill_size",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Conduct:
    """What a backtest was played by: its market files, rules and seed, and the seconds that ticks are apart."""

    files: Sequence[str]
    rules: Rules
    interval: float | None = None
    seed: int = 0


def document(
    results: Sequence[BacktestResult], market: RecordedMarket, seconds: float, conduct: Conduct | None = None
) -> Row:
    """Return the report of a whole backtest."""
    conduct = conduct or Conduct((), Rules())
    modes = {result.mode for result in results if result.play is not None}
    rules = conduct.rules
    return {
        "mode": modes.pop() if len(modes) == 1 else "run-ahead" if not modes else "mixed",
        "ticks": len(market),
        "seconds": round(seconds, 6),
        "span": {"first": market.time(0), "last": market.time(len(market) - 1)} if len(market) else None,
        "files": list(conduct.files),
        "symbols": list(market.symbols),
        "rules": {
            "starting_cash": rules.starting_cash, "fee_bps": rules.fee_bps, "slippage_bps": rules.slippage_bps,
            "delay_ticks": rules.delay_ticks, "interval": conduct.interval or tick_interval(market),
        },
        "seed": conduct.seed,
        "benchmark": benchmark(market, rules),
        "bots": [bot_document(result, market) for result in results],
    }  # fmt: skip


def tick_interval(market: RecordedMarket) -> float | None:
    """Return the median seconds between two ticks, None where there are fewer than two."""
    return market.interval


def benchmark(market: RecordedMarket, rules: Rules) -> Row:
    """Return what buying at the first price and holding would have made: of each symbol, and of all in equal parts.

    Slippage and fee are paid on the way in; nothing is sold at the end.
    """
    returns = {}
    for place, symbol in enumerate(market.symbols, 1):
        column = market.marks[:, place]
        known = column[column == column]  # noqa: PLR0124 - NaN is no price
        if len(known):
            cost = rules.fill_price(Side.BUY, float(known[0]))
            cost += rules.fee(cost, 1.0)
            returns[symbol] = (float(known[-1]) / cost - 1.0) * 100.0
    mean = sum(returns.values()) / len(returns) if returns else None
    return {"name": "buy and hold", "return_pct": mean, "symbols": returns}


def missing_symbols(result: BacktestResult, market: RecordedMarket) -> list[str]:
    """Return the symbols that a bot needs and the market lacks."""
    return [symbol for symbol in result.symbols if symbol not in market.symbols]


def bot_document(result: BacktestResult, market: RecordedMarket) -> Row:
    """Return the report of one bot."""
    head = {
        "name": result.name,
        "file": result.file,
        "status": result.status,
        "mode": result.mode,
        "note": result.note or None,
        "missing_symbols": missing_symbols(result, market),
        "violations": result.violations,
    }
    play = result.play
    if play is None:
        nothing = dict.fromkeys(("orders", "trades", "rejected", "errors"), 0)
        empty = dict.fromkeys(
            ("last_error", "cash", "equity", "realized_pnl", "unrealized_pnl", "metrics", "periods_a_year")
        )
        rest: Row = {"periods": 0, "periods_a_year": None, "positions": {}, "endings": [], "equity_curve": []}
        return {**head, **nothing, **empty, **rest}
    return {
        **head, **_played(play),
        "endings": [
            {"tick": tick, "verdict": verdict.name, "reason": reason} for tick, verdict, reason in result.endings
        ],
        "equity_curve": [[time, equity] for _, time, equity, *_ in play.ledger.equity],
    }  # fmt: skip


def _played(play: BacktestAccount) -> Row:
    last = play.ledger.equity[-1] if play.ledger.equity else None
    equity = last[2] if last else play.account.cash
    metrics = asdict(play.score.metrics(equity, play.account.fees))
    periods_a_year, periods = metrics.pop("periods_a_year"), metrics.pop("periods")
    return {
        "orders": len(play.ledger.orders) + play.ledger.overflow,
        "trades": len(play.ledger.trades),
        "rejected": rejected_count(play.ledger),
        "errors": play.ledger.errors,
        "last_error": play.ledger.last_error and clean_line(play.ledger.last_error),
        "cash": play.account.cash,
        "positions": play.account.sizes(),
        "equity": equity,
        "realized_pnl": play.account.realized,
        "unrealized_pnl": last[4] if last else 0.0,
        "metrics": metrics,
        "periods": periods,
        "periods_a_year": periods_a_year,
    }


def _in_order(found: list[tuple[float, int, int, Row]]) -> list[Row]:
    """Return rows by the three numbers before each: tick or time, place of the bot, number within the bot."""
    return [row for *_, row in sorted(found, key=lambda item: item[:3])]


def _plays(results: Iterable[BacktestResult]) -> list[tuple[int, BacktestResult, BacktestAccount]]:
    return [(i, r, r.play) for i, r in enumerate(results) if r.play is not None]


def trade_rows(results: Sequence[BacktestResult]) -> list[Row]:
    """Return all trades: by tick, then bots in the order given, then order of submission."""
    found: list[tuple[float, int, int, Row]] = [
        (trade.tick, place, n, {**trade.row(result.name)})
        for place, result, play in _plays(results)
        for n, trade in enumerate(play.ledger.trades)
    ]
    return [{"id": number, **row} for number, row in enumerate(_in_order(found), 1)]


def order_rows(results: Sequence[BacktestResult]) -> list[Row]:
    """Return all orders: by tick, then bots in the order given, then order of submission."""
    return _in_order(
        [
            (order.tick, place, n, {**order.row(result.name)})
            for place, result, play in _plays(results)
            for n, order in enumerate(play.ledger.orders)
        ]
    )


def _log_line(result: BacktestResult, row: LogColumns) -> Row:
    return {
        "time": row["time"], "bot_name": result.name, "file": result.file,
        "level": row["level"], "message": row["message"],
    }  # fmt: skip


def log_rows(results: Sequence[BacktestResult]) -> list[Row]:
    """Return all log lines, by time, then bots in the order given."""
    return _in_order(
        [
            (line[0], place, n, _log_line(result, log_row(*line)))
            for place, result, play in _plays(results)
            for n, line in enumerate(play.ledger.logs)
        ]
    )


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write rows as CSV with a header and LF line ends."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([csv_cell(row[column]) for column in columns])


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows as JSON lines."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
