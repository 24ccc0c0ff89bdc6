"""What may be said once, when a season is closed: the best against the benchmark, overfitting, the final table."""

from __future__ import annotations

import csv
import html
import io
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine

from arena.core.season_rules import SeasonRules
from arena.core.statistics.dependence import stationary_block_length
from arena.core.statistics.sharpe import backtest_overfitting
from arena.core.text import csv_cell
from arena.dates import spoken
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
    "excess_pct": "Return less that of the benchmark from the bot's first tick on, percentage points",
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


def keep_report(
    engine: Engine, number: int, signer: Signer, make: Callable[[Engine, int], dict[str, Any]] = season_report
) -> dict[str, Any]:
    """Return the signed report of a closed season; it is made once, by `make`, and then read."""
    season = queries.season_by_number(engine, number)
    if (kept := kept_report(engine, season["id"])) is not None:
        return kept
    made = signed_report(make(engine, number), signer)
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
    delay = rules["delay_ticks"]
    return (
        f"Cash {rules['starting_cash']:,.2f}, fee {rules['fee_bps']:g} bps, slippage {rules['slippage_bps']:g} bps, "
        f"orders fill {delay} tick{'' if delay == 1 else 's'} later, returns every {rules['score_interval']:g} s, "
        f"compared with {rules['benchmark']}{''.join(f', {each}' for each in dates)}."
    )


# Heading and format of each column, as people write it; texts stand to the left, figures to the right.
_SHOWN = {
    "rank": ("#", "{}"), "name": ("Bot", ""), "author": ("Author", ""), "origin": ("From", ""),
    "equity": ("Equity", "{:,.2f}"), "return_pct": ("Return", "{:+.2f} %"), "excess_pct": ("Excess", "{:+.2f} %"),
    "verdict": ("Against the benchmark", ""), "tie_first": ("Tie from", "{}"), "tie_last": ("Tie to", "{}"),
    "sharpe": ("Sharpe", "{:.2f}"), "periods": ("Periods", "{:,}"), "max_drawdown_pct": ("Drawdown", "{:.2f} %"),
    "trades": ("Trades", "{:,}"), "fees": ("Fees", "{:,.2f}"),
}  # fmt: skip
_NAMES = {"spa_p": "p of the best bot", "stepm": "Better than the benchmark", "pbo": "Overfitting"}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;color-scheme:light dark;max-width:72rem;margin:2rem auto;padding:0 1rem}"
    "h1{margin-bottom:0}code{overflow-wrap:anywhere}div{overflow-x:auto}table{border-collapse:collapse;width:100%}"
    "th,td{padding:.35rem .6rem;border-bottom:1px solid #8885;text-align:right;font-variant-numeric:tabular-nums}"
    "td{white-space:nowrap}"
    ".text{text-align:left}dt{font-weight:600}dd{margin:0 0 .6rem}"
)


def report_page(report: dict[str, Any]) -> str:
    """Return a report as one HTML page without scripts."""

    def cell(name: str, value: Any) -> str:
        form = _SHOWN[name][1]
        text = "\N{EN DASH}" if value is None else form.format(value) if form else str(value)
        return f"<td{'' if form else ' class=text'}>{html.escape(text)}</td>"

    head = "".join(
        f'<th scope="col"{"" if _SHOWN[name][1] else " class=text"}>{_SHOWN[name][0]}</th>' for name in COLUMNS
    )
    body = "".join("<tr>" + "".join(cell(name, row[name]) for name in COLUMNS) + "</tr>" for row in report["table"])
    best, season = report["best_of_many"], report["season"]
    words = (
        f"Best of many: {best['needs']}." if best["needs"] else
        f"If no bot were better than the benchmark, a best one like this would come with p = {best['spa_p']:.3f}. "
        f"Better than the benchmark beyond chance: {', '.join(best['stepm']) or 'none'}."
    )  # fmt: skip
    overfitting = "".join(
        f"<li>{html.escape(each['author'])}: {each['pbo']:.2f}, over {each['bots']} bots</li>"
        for each in report["overfitting"]
    )
    formulas = "".join(
        f"<dt>{_NAMES.get(name) or _SHOWN[name][0]}</dt><dd>{html.escape(text)}</dd>"
        for name, text in report["formulas"].items()
    )
    said = html.escape(str(report["summary"].get("separation", "")))
    chance = (
        f"<h2>Probability that an author's best bot is overfitted</h2><ul>{overfitting}</ul>" if overfitting else ""
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Season {season['number']}</title><style>{_STYLE}</style><h1>Season {season['number']}</h1>"
        f"<p>Market <code>{html.escape(season['feed'])}</code>. {html.escape(rules_words(report['rules']))}</p>"
        f"<p>{said}</p><p>{html.escape(words)}</p>"
        f"<h2>Final table</h2><div><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{chance}"
        f"<h2>How it is computed</h2><dl>{formulas}</dl></html>\n"
    )
