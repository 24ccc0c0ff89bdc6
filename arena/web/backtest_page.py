"""A backtest as one page that opens offline: everything it shows and runs is inside the file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from arena import __version__
from arena.engine.backtest.account import BacktestAccount, RecordedMarket
from arena.engine.backtest.run import BacktestResult
from arena.engine.backtest.summary import round_trips, summary
from arena.web.assets import HERE, chart_library
from arena.web.formats import FILTERS, code_lines

Row = dict[str, Any]

MAX_POINTS = 2000  # of one curve
MAX_ROWS = 500  # of one table; the CSV files hold all
_DAY = 86_400.0
_SCRIPTS = ("format.js", "dom.js", "charts.js", "report.js")


def write_page(path: Path, values: Row) -> None:
    """Write a backtest's values as one page that opens offline."""
    path.write_text(report_file(values), encoding="utf-8", newline="\n")


def page_values(
    found: Row,
    results: Sequence[BacktestResult],
    market: RecordedMarket,
    sources: Mapping[str, bytes],
    command: str,
    hashes: Mapping[str, str | None],
) -> Row:
    """Return what the page of a backtest shows; JSON can hold all of it.

    `found` is the backtest's document, `sources` are the bots' programs by file, `hashes` those of the market files.
    """
    hold = found["benchmark"]["return_pct"]
    bots = [_bot(result, row, market, sources, hold) for result, row in zip(results, found["bots"], strict=True)]
    bots.sort(key=lambda bot: -(bot["summary"]["equity_final"] if bot["summary"] else float("-inf")))
    data = _data(bots, market, hold, found)
    for bot in bots:
        for key in ("curve", "trades"):
            bot.pop(key, None)
    head = {key: value for key, value in found.items() if key != "bots"}
    return {"version": __version__, "found": head, "bots": bots, "command": command, "hashes": dict(hashes),
            "rows": MAX_ROWS, "data": data}  # fmt: skip


def template_values(values: Row) -> Row:
    """Return stored values as templates take them: programs as coloured lines, numbers of charts as text."""
    bots = [{**bot, "source": code_lines(bot["source"])} for bot in values["bots"]]
    # No text of a bot can end the element that holds it.
    data = Markup(orjson.dumps(values["data"]).decode().replace("<", "\\u003c"))  # noqa: S704
    return {**values, "bots": bots, "data": data}


def report_file(values: Row) -> str:
    """Return the page of a backtest with everything that it shows and runs."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(FILTERS)
    return environment.get_template("backtest_file.html").render(
        **template_values(values),
        style=Markup("".join((HERE / "static" / name).read_text("utf-8") for name in ("style.css", "data.css"))),  # noqa: S704 - ours
        library=Markup(chart_library().decode("utf-8")),  # noqa: S704 - the pinned bytes
        script=Markup(_script()),  # noqa: S704 - ours
    )


def _script() -> str:
    """Return our modules as one: what they import from one another stands before it."""
    parts = []
    for name in _SCRIPTS:
        lines = (HERE / "static" / name).read_text("utf-8").splitlines()
        kept = [line.removeprefix("export ") for line in lines if not line.startswith("import ")]
        parts.append("\n".join(kept))
    return "\n".join(parts)


def _bot(
    result: BacktestResult, row: Row, market: RecordedMarket, sources: Mapping[str, bytes], hold: float | None
) -> Row:
    source = sources.get(result.file, b"")
    shown: Row = {
        "name": result.name or result.file,
        "row": {key: value for key, value in row.items() if key != "equity_curve"},
        "source": source.decode("utf-8", "replace"),
        "source_sha256": hashlib.sha256(source).hexdigest(),
        "summary": None,
    }
    play = result.play
    if play is None:
        return shown
    trips = round_trips(play)
    orders = [order.row(result.name) for order in play.ledger.orders]
    rejected = [order for order in orders if order["status"] == "rejected"]
    return {
        **shown,
        "summary": summary(play, market, hold),
        "trips": trips[-MAX_ROWS:][::-1],
        "trip_count": len(trips),
        "rejected": rejected[-MAX_ROWS:][::-1],
        "rejected_count": len(rejected),
        "periods": _periods(play, found_span(market)),
        "trades": [trade.row(result.name) for trade in play.ledger.trades],
        "curve": [(time, equity) for _, time, equity, *_ in play.ledger.equity],
        "start": play.score.starting_cash,
    }


def found_span(market: RecordedMarket) -> float:
    """Return the seconds that a market lasts."""
    return float(market.time(len(market) - 1) - market.time(0)) if len(market) else 0.0


def _periods(play: BacktestAccount, span: float) -> list[Row]:
    """Return the return of each month, day or hour, whichever gives a table that can be read."""
    form = "%Y-%m" if span > 90 * _DAY else "%Y-%m-%d" if span > 2 * _DAY else "%Y-%m-%d %H:00"
    ends: dict[str, float] = {}
    for _, time, equity, *_ in play.ledger.equity:
        ends[datetime.fromtimestamp(time, UTC).strftime(form)] = equity
    shown, before = [], play.score.starting_cash
    for name, equity in ends.items():
        shown.append({"name": name, "return_pct": (equity / before - 1.0) * 100.0 if before else 0.0})
        before = equity
    return shown[-MAX_ROWS:]


def _thinned(count: int) -> list[int]:
    """Return the places of at most MAX_POINTS of so many, evenly, the first and the last among them."""
    if count <= MAX_POINTS:
        return list(range(count))
    return sorted({round(place) for place in np.linspace(0, count - 1, MAX_POINTS)})


def _data(bots: list[Row], market: RecordedMarket, hold: float | None, found: Row) -> Row:
    places = _thinned(len(market))
    times = [market.time(place) for place in places]
    prices = {
        symbol: [None if value != value else value for value in market.marks[places, column].tolist()]  # noqa: PLR0124 - NaN
        for column, symbol in enumerate(market.symbols, 1)
    }
    played = [bot for bot in bots if bot["summary"]]
    return {
        "times": times,
        "prices": prices,
        "start": found["rules"]["starting_cash"],
        "hold_pct": hold,
        "bots": [
            {
                "name": bot["name"],
                "curve": [bot["curve"][place] for place in _thinned(len(bot["curve"]))],
                "trades": [
                    [trade["time"], trade["symbol"], trade["side"], trade["size"], trade["price"]]
                    for trade in bot["trades"][-MAX_POINTS:]
                ],
            }
            for bot in played
        ],
    }
