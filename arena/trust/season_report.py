"""What may be said once, when a season is closed: the best against the benchmark, overfitting, the final table."""

from __future__ import annotations

import csv
import html
import io
from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine

from arena.core.season_rules import SeasonRules
from arena.core.statistics.dependence import stationary_block_length
from arena.core.statistics.sharpe import backtest_overfitting
from arena.dates import spoken
from arena.engine.backtest.report import csv_cell
from arena.errors import ConflictError
from arena.store import queries
from arena.store.jobs import JobStatus, add_job, newest_job
from arena.store.receipts import Signer, sealed
from arena.trust.series import SeasonSeries, read_series

Floats = npt.NDArray[np.float64]

REPORT = "season report"  # a job whose result is the signed report
MIN_PERIODS = 30
LEVEL = 0.05
COLUMNS = (
    "rank", "name", "author", "origin", "equity", "return_pct", "excess_pct", "verdict", "tie_first", "tie_last",
    "sharpe", "periods", "max_drawdown_pct", "trades", "fees",
)  # fmt: skip
_FORMULAS = {
    "spa_p": "Superior predictive ability: p of 'no bot beats the benchmark' (Hansen 2005, consistent), package arch",
    "stepm": "Bots that beat the benchmark, familywise error 5 % (Romano, Wolf 2005), package arch",
    "pbo": "Probability of backtest overfitting over an author's bots: CSCV, 16 blocks (Bailey et al. 2017)",
    "excess_pct": "Return less that of the benchmark since the bot's first score point, percentage points",
    "verdict": "Confidence sequence of batch means of excess returns, error 5 % over all pairs of the board",
    "sharpe": "mean(r)/sd(r) on the score clock, times the root of periods a year; none below 30 periods",
}


def season_report(engine: Engine, number: int, seed: int = 1) -> dict[str, Any]:
    """Return the report of a closed season; ConflictError while it is open."""
    season = queries.season_by_number(engine, number)
    if season["status"] != "closed":
        raise ConflictError(
            f"Season {number} is still open: its report is made once, after `arena season close` or its end."
        )
    rows = queries.board(engine, season["id"])
    series = read_series(engine, season)
    periods = max(0, len(series.times) - 1)
    short = f"needs {MIN_PERIODS} periods, has {periods}" if periods < MIN_PERIODS else None
    return {
        "season": {
            name: season[name]
            for name in ("number", "feed", "symbols", "interval", "starting_cash", "fee_bps", "slippage_bps",
                         "score_interval", "benchmark", "opened_at", "closed_at", "seed", "seed_sha256")
        },
        "rules": SeasonRules.of(season).document(),
        "periods": periods, "summary": queries.board_summary(engine, season["id"]),
        "best_of_many": {"needs": short} if short else _best_of_many(series, rows, seed),
        "overfitting": [] if short else _overfitting(series, rows),
        "table": [{name: row[name] for name in COLUMNS} for row in rows],
        "formulas": _FORMULAS,
    }  # fmt: skip


def signed_report(report: dict[str, Any], signer: Signer) -> dict[str, Any]:
    """Return a report with its signature and the key that it is checked with."""
    return sealed("report", report, signer)


def kept_report(engine: Engine, season_id: str) -> dict[str, Any] | None:
    """Return the signed report of a season, None where it has not been made."""
    known = newest_job(engine, REPORT, season_id, JobStatus.DONE)
    return None if known is None else known["result"]


def keep_report(engine: Engine, number: int, signer: Signer) -> dict[str, Any]:
    """Return the signed report of a closed season; it is made once, and then read."""
    season = queries.season_by_number(engine, number)
    if (kept := kept_report(engine, season["id"])) is not None:
        return kept
    made = signed_report(season_report(engine, number), signer)
    add_job(engine, REPORT, season["id"], {"season_id": season["id"]}, result=made)
    return made


def report_csv(report: dict[str, Any]) -> str:
    """Return a report's final table as CSV."""
    found = io.StringIO()
    writer = csv.writer(found, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([csv_cell(row[name]) for name in COLUMNS] for row in report["table"])
    return found.getvalue()


def _excess(series: SeasonSeries, bots: list[str]) -> tuple[list[str], Floats]:
    """Return the bots that were in at every point, and their excess returns, a column a bot."""
    places = [series.bots.index(bot) for bot in bots if bot in series.bots]
    returns = series.returns()[:, places]
    whole = np.flatnonzero(~np.isnan(returns).any(axis=0)).tolist()
    names = [series.bots[places[column]] for column in whole]
    return names, returns[:, whole] - series.benchmark_returns()[:, None]


def _best_of_many(series: SeasonSeries, rows: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    names = {row["bot_id"]: row["name"] for row in rows}
    bots, excess = _excess(series, list(names))
    varied = np.flatnonzero(excess.std(axis=0) > 0.0).tolist()
    bots, excess = [bots[column] for column in varied], excess[:, varied]
    if not bots:
        return {"needs": "a bot whose returns differ from the benchmark's through the whole season"}
    try:
        from arch.bootstrap import SPA, StepM
    except ImportError:
        return {"needs": "the package arch: pip install 'arena[trust]'"}
    block = max(1, round(float(np.median([stationary_block_length(column) for column in excess.T]))))
    # Both take losses: what is lost is what is not gained.
    losses, benchmark = -excess, np.zeros(len(excess))
    spa = SPA(benchmark, losses, block_size=block, reps=1000, seed=seed)
    spa.compute()
    superior, note = _superior(StepM, benchmark, losses, block, seed)
    return {
        "needs": None, "bots": len(bots), "block": block, "spa_p": float(spa.pvalues["consistent"]),
        "stepm": sorted(names[bots[place]] for place in superior), "note": note,
    }  # fmt: skip


def _superior(step: Any, benchmark: Floats, losses: Floats, block: int, seed: int) -> tuple[list[int], str | None]:
    made = step(benchmark, losses, size=LEVEL, block_size=block, reps=1000, seed=seed)
    try:
        made.compute()
    except ValueError:
        # arch fails where every bot is found superior over several rounds; then all of them are.
        return list(range(losses.shape[1])), "Every bot was found to beat the benchmark."
    return [int(place) for place in made.superior_models], None


def _overfitting(series: SeasonSeries, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    by_author: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_author[row["author"]].append(row["bot_id"])
    found = []
    for author, bots in sorted(by_author.items()):
        names, excess = _excess(series, bots)
        if len(names) > 1:
            found.append({"author": author, "bots": len(names), "pbo": backtest_overfitting(excess)})
    return found


def rules_words(rules: dict[str, Any]) -> str:
    """Return the rules of a season in one sentence."""
    dates = [
        f"{name} {spoken(rules[key])}"
        for name, key in (("from", "starts_at"), ("bots until", "entry_deadline"), ("to", "ends_at"))
        if rules[key] is not None
    ]
    return (
        f"Cash {rules['starting_cash']:,.2f}, fee {rules['fee_bps']:g} bps, slippage {rules['slippage_bps']:g} bps, "
        f"orders fill {rules['delay_ticks']} tick later, returns every {rules['score_interval']:g} s, "
        f"compared with {rules['benchmark']}{''.join(f', {each}' for each in dates)}."
    )


def report_page(report: dict[str, Any]) -> str:
    """Return a report as one HTML page without scripts."""

    def cell(value: Any) -> str:
        text = "" if value is None else f"{value:,.4g}" if isinstance(value, float) else str(value)
        return html.escape(text)

    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell(row[name])}</td>" for name in COLUMNS) + "</tr>" for row in report["table"]
    )
    best, season = report["best_of_many"], report["season"]
    words = (
        f"Best of many: {best['needs']}." if best["needs"] else
        f"Chance alone would make such a best bot with p = {best['spa_p']:.3f}. Beats the benchmark: "
        f"{', '.join(best['stepm']) or 'none'}."
    )  # fmt: skip
    overfitting = "".join(
        f"<li>{html.escape(each['author'])}: {cell(each['pbo'])} over {each['bots']} bots</li>"
        for each in report["overfitting"]
    )
    formulas = "".join(f"<dt>{name}</dt><dd>{html.escape(text)}</dd>" for name, text in report["formulas"].items())
    said = html.escape(str(report["summary"].get("separation", "")))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>Season {season['number']}</title><h1>Season {season['number']}: {html.escape(season['feed'])}</h1>"
        f"<p>{html.escape(rules_words(report['rules']))}</p><p>{said}</p><p>{html.escape(words)}</p>"
        f"<h2>Overfitting by author</h2><ul>{overfitting}</ul>"
        f"<h2>Final table</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<h2>Formulas</h2><dl>{formulas}</dl></html>\n"
    )
