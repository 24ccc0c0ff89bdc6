"""An evolution as one page that opens offline: the curves as pictures, the archive, every bot, the formulas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from arena import __version__
from arena.web.assets import HERE
from arena.web.formats import FILTERS

Row = dict[str, Any]

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 900, 300, 70, 16, 260
_RIGHT = _WIDTH - 20
_COLOURS = {"held_out": "#d97706", "train": "#2563eb"}
_CHARTS = (("dsr", "Deflated Sharpe ratio of the best bot by the train tapes"), ("sharpe", "Its Sharpe ratio a period"))


def write_evolution(path: Path, found: Row) -> None:
    """Write the page of an evolution's document."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(FILTERS)
    style = Markup("".join((HERE / "static" / name).read_text("utf-8") for name in ("style.css", "data.css")))  # noqa: S704 - ours
    text = environment.get_template("evolution_file.html").render(
        found=found, version=__version__, style=style, charts=[_chart(found, name, title) for name, title in _CHARTS]
    )
    path.write_text(text, encoding="utf-8", newline="\n")


def _chart(found: Row, figure: str, title: str) -> Row:
    """Return a figure of the curve, over the budget that was spent; over the trials where nothing was."""
    points = found["curve"]
    across, unit = _across(points)
    most = max(across, default=0.0) or 1.0
    sides = {side: [point[f"{side}_{figure}"] for point in points] for side in _COLOURS}
    known = [value for values in sides.values() for value in values if value is not None]
    low, high = float(min([0.0, *known])), float(max([0.0, *known]))
    if low == high:
        high = low + 1.0

    def x(value: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * value / most, 1)

    def y(value: float) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * (value - low) / (high - low), 1)

    steps = [low + (high - low) * part / 4.0 for part in range(5)]
    begins = found["overfitting_from"]
    return {
        "title": title, "label": f"{title}: {found['words']}", "width": _WIDTH, "height": _HEIGHT, "left": _LEFT,
        "right": _RIGHT, "top": _TOP, "bottom": _BOTTOM, "end": f"{most:,.4g}", "across": unit,
        "ticks": [{"y": y(value), "text": f"{value:.3f}"} for value in steps],
        "begins": None if begins is None else x(across[begins]),
        "lines": [
            {"colour": colour, "dashed": side == "train",
             "paths": _paths([(x(at), None if value is None else y(value))
                              for at, value in zip(across, sides[side], strict=True)])}
            for side, colour in _COLOURS.items()
        ],
    }  # fmt: skip


def _across(points: Sequence[Row]) -> tuple[list[float], str]:
    last = points[-1] if points else {"spent_usd": 0.0, "spent_tokens": 0}
    for name, unit in (("spent_usd", "US dollars spent"), ("spent_tokens", "tokens spent")):
        if last[name]:
            return [float(point[name]) for point in points], unit
    return [float(point["k"]) for point in points], "trials"


def _paths(points: Sequence[tuple[float, float | None]]) -> list[str]:
    """Return the points as lines of SVG, one for each stretch without a gap."""
    paths: list[list[str]] = [[]]
    for x, y in points:
        if y is None:
            paths.append([])
        else:
            paths[-1].append(f"{x},{y}")
    return [" ".join(path) for path in paths if path]
