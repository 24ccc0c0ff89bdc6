"""The curve of an evolution: what the best bot by the train tapes shows on them, and on the tapes held out.

Every program that was tried counts as a trial in K, kept or not. Where the train figure rises and the held-out one does
not, more budget only fits the train tapes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from arena.core.statistics.ratios import moments
from arena.core.statistics.sharpe import deflated_sharpe, effective_trials, probabilistic_sharpe
from arena.submissions.evolution.archive import Archive, kind_of_line, may_be_chosen

Row = dict[str, Any]

SIDES = ("train", "held_out")
SHOWN = ("sharpe", "return_pct", "max_drawdown_pct", "turnover", "trades")
FORMULAS = {
    "sharpe": "mean over standard deviation of the returns of one period (score clock), not annualised",
    "k": "programs tried so far, the first bots and the refused ones among them; the same program twice counts once",
    "k_effective": "effective rank of the correlation of the trials' train returns: copies count once",
    "dsr": (
        "probability that the true Sharpe ratio is above what the best of K trials without skill would show "
        "(Bailey, López de Prado 2014; variance under the null)"
    ),
    "held_out_psr": "probability that the true Sharpe ratio is above 0 on the held-out tapes, no trials taken off",
    "best": "the highest Sharpe ratio on the train tapes so far; the held-out tapes choose nothing",
    "turnover": "value traded over starting cash, for 100 ticks",
}


def document(lines: Sequence[Row], spent: dict[str, float], stopped: str) -> Row:
    """Return the whole result: the curve, the archive, every line, and what they mean."""
    points = curve(lines)
    begins = overfitting(points)
    archive = Archive()
    for line in lines:
        archive.place(line)
    periods = next((line["held_out"]["periods"] for line in lines if line["held_out"]), 0)
    played = [line["train"]["returns"] for line in lines if line["train"]]
    return {
        "curve": points, "overfitting_from": begins, "words": curve_words(points, begins, periods),
        "k": points[-1]["k"] if points else 0,
        "k_effective": effective_trials(np.array(played).T) if played else 1.0,
        "spent": spent, "stopped": stopped or None,
        "archive": [_shown(archive.cells[kind]) for kind in sorted(archive.cells)],
        "kinds": {"filled": len(archive.cells), "all": len(archive.cells) + len(archive.empty())},
        "lines": [_shown(line) for line in lines], "formulas": FORMULAS,
    }  # fmt: skip


def _shown(line: Row) -> Row:
    return {
        "n": line["n"], "name": line["name"], "parent": line["parent"], "model": line["model"] or None,
        "refused": line["refused"] or None, "kind": list(kind_of_line(line)) if line["kind"] else None,
        "best_of_kind": line["best_of_kind"], "spent_tokens": line["spent_tokens"], "spent_usd": line["spent_usd"],
        **{side: {name: line[side].get(name) for name in SHOWN} if line[side] else None for side in SIDES},
        "findings": len(line["findings"]),
    }  # fmt: skip


def tried_children(lines: Sequence[Row]) -> int:
    """Return how many different programs were tried beside the first bots, refused ones too."""
    first = {line["source"] for line in lines if line["parent"] is None}
    return len({line["source"] for line in lines if line["source"]} - first)


def curve(lines: Sequence[Row]) -> list[Row]:
    """Return a point after each line: what was spent, K, the best by the train tapes, and its figures on both sides."""
    points: list[Row] = []
    programs: set[str] = set()
    sharpes: dict[str, list[float]] = {side: [] for side in SIDES}
    best: Row | None = None
    for line in lines:
        if line["source"]:
            programs.add(line["source"])
        for side in SIDES:
            if line[side] and line[side]["sharpe"] is not None:
                sharpes[side].append(line[side]["sharpe"])
        if may_be_chosen(line) and (best is None or line["train"]["sharpe"] > best["train"]["sharpe"]):
            best = line
        point: Row = {
            "n": line["n"], "spent_tokens": line["spent_tokens"], "spent_usd": line["spent_usd"], "k": len(programs),
            "best": None if best is None else best["n"],
        }  # fmt: skip
        for side in SIDES:
            point |= _figures(side, best, sharpes[side], len(programs))
        points.append(point)
    return points


def _figures(side: str, best: Row | None, sharpes: Sequence[float], trials: int) -> Row:
    sharpe = None if best is None else best[side]["sharpe"]
    names = [f"{side}_sharpe", f"{side}_dsr", f"{side}_psr"]
    if best is None or sharpe is None:
        return dict.fromkeys(names)
    series = moments(np.array(best[side]["returns"]))
    # One trial tells nothing of how Sharpe ratios spread; then it is that of chance alone, 1/T.
    variance = float(np.var(sharpes, ddof=1)) if len(sharpes) > 1 else 1.0 / series.count
    values = (sharpe, deflated_sharpe(sharpe, series, variance, trials), probabilistic_sharpe(sharpe, 0.0, series))
    return dict(zip(names, values, strict=True))


def overfitting(points: Sequence[Row]) -> int | None:
    """Return the place of the point from which on the best bot is better on the train tapes and worse on the others.

    It is the first change of the best bot after the one that was best on the held-out tapes; None where there is none.
    """
    changes = [
        place for place, point in enumerate(points)
        if point["best"] is not None and (place == 0 or points[place - 1]["best"] != point["best"])
    ]  # fmt: skip
    if not changes:
        return None

    def held_out(place: int) -> float:
        value = points[place]["held_out_sharpe"]
        return float("-inf") if value is None else float(value)

    top = max(changes, key=held_out)
    return next((place for place in changes if place > top), None)


def curve_words(points: Sequence[Row], begins: int | None, held_out_periods: int) -> str:
    """Return what the curve says, in words."""
    if not points or points[-1]["best"] is None:
        return "No bot has returns to judge by: none traded on the train tapes."
    last = points[-1]
    if begins is None:
        return (
            f"The best bot by the train tapes, number {last['best']}, is also the best on the held-out tapes "
            f"of those that led before it: no overfitting seen in {_trials(last)}."
        )
    before = points[begins - 1]
    if before["held_out_sharpe"] is None:
        return f"The best bot by the train tapes, number {last['best']}, does not trade on the held-out tapes."
    # Two standard errors of a difference of two Sharpe ratios a period, of independent returns (Lo, 2002).
    chance = 2.0 * math.sqrt(2.0 / max(1, held_out_periods))
    return (
        f"Overfitting begins at number {points[begins]['n']}, after {_trials(before)}"
        f"{_spent(points[begins])}: from there to the end the best bot's Sharpe ratio a period goes from "
        f"{before['train_sharpe']:.3f} to {last['train_sharpe']:.3f} on the train tapes, and from "
        f"{before['held_out_sharpe']:.3f} to {_told(last['held_out_sharpe'])} on the held-out ones. A difference of "
        f"up to {chance:.3f} there may be chance."
    )


def _trials(point: Row) -> str:
    return "1 trial" if point["k"] == 1 else f"{point['k']:,} trials"


def _told(value: float | None) -> str:
    return "none, since it does not trade," if value is None else f"{value:.3f}"


def _spent(point: Row) -> str:
    if point["spent_usd"]:
        return f" and {point['spent_usd']:,.4g} US dollars"
    return f" and {point['spent_tokens']:,} tokens" if point["spent_tokens"] else ""
