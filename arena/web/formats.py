"""How numbers, times and programs are written on the pages; None is a dash, which never looks like zero."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

DASH = "–"  # noqa: RUF001 - a dash, as figures that are not known are written
_MINUS = "−"
_ORIGINS = {"generated": "generated", "upload": "uploaded", "folder": "bots folder", "arena": "ships with Arena"}


def _known(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def number(value: Any, digits: int = 2) -> str:
    """Return a number with separators and so many decimals."""
    if not _known(value):
        return DASH
    # -0.001 rounds to "-0.00"; a sign on nothing would be noise.
    settled = 0.0 if abs(value) < 0.5 * 10**-digits else value
    return f"{settled:,.{digits}f}".replace("-", _MINUS)


def whole(value: Any) -> str:
    """Return a number without decimals."""
    return number(value, 0)


def percent(value: Any, digits: int = 2) -> str:
    """Return a percentage."""
    return f"{number(value, digits)}%" if _known(value) else DASH


def signed_percent(value: Any) -> str:
    """Return a percentage with its sign."""
    shown = percent(value)
    return f"+{shown}" if _known(value) and value >= 0.005 else shown


def bps(value: Any) -> str:
    """Return basis points, or that there are none."""
    if not _known(value):
        return DASH
    return "none" if value == 0 else f"{value:g} bps"


def price(value: Any) -> str:
    """Return a price with about six figures, never fewer than two decimals."""
    if not _known(value):
        return DASH
    size = abs(value)
    if size >= 1000 or size == 0:
        return number(value)
    digits = 4 if size >= 1 else min(10, 5 - math.floor(math.log10(size)))
    return f"{value:,.{digits}f}".replace("-", _MINUS)


def tone(value: Any) -> str:
    """Return whether a figure is a gain or a loss."""
    if not _known(value) or abs(value) < 0.005:
        return ""
    return "up" if value > 0 else "down"


def duration(seconds: Any) -> str:
    """Return a span of time."""
    if not _known(seconds):
        return DASH
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:g} {unit}" if seconds % size == 0 else f"{seconds / size:.1f} {unit}"
    return f"{seconds:g} s"


def plural(count: int, one: str) -> str:
    """Return a count with its noun."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}s"


def size(count: int) -> str:
    """Return a number of bytes in the unit that gives one to four figures."""
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return plural(count, "byte")


def iso(seconds: float) -> str:
    """Return Unix seconds as ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def utc(seconds: float) -> str:
    """Return Unix seconds as a UTC time; the page's script changes it to the reader's zone."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def provenance(bot: dict[str, Any]) -> str:
    """Return in a few words who wrote a bot; a model is named only where one was used."""
    origin, author = str(bot["origin"]), str(bot["author"] or "")
    if origin in {"folder", "arena"}:
        return _ORIGINS[origin]
    words = _ORIGINS.get(origin, origin)
    if origin == "generated" and bot["model"]:
        words = "written from a template" if bot["model"] == "template" else f"written by {bot['model']}"
    return ", ".join(part for part in (author, words) if part)


@dataclass(frozen=True, slots=True)
class CodeLine:
    """One line of a program: its coloured text, and whether it sends an order."""

    html: Markup
    orders: bool


_LEXER = PythonLexer(stripnl=False, ensurenl=False)
_FORMATTER = HtmlFormatter(nowrap=True)


def code_lines(source: str) -> list[CodeLine]:
    """Return a program line by line; every character of it is escaped."""
    # As the parser counts lines, which is not as str.splitlines does.
    plain = re.split(r"\r\n|\r|\n", source)
    if len(plain) > 1 and not plain[-1]:
        plain.pop()
    text = "\n".join(plain)
    # The formatter closes what is open at the end of each line and opens it again on the next.
    shown = highlight(text, _LEXER, _FORMATTER).removesuffix("\n").split("\n")
    assert len(shown) == len(plain)
    return [
        CodeLine(Markup(line), ".submit_order(" in raw)  # noqa: S704 - the formatter has escaped it
        for line, raw in zip(shown, plain, strict=True)
    ]


FILTERS = {
    each.__name__: each
    for each in (
        number, whole, percent, signed_percent, bps, price, tone, duration, plural, size, iso, utc, provenance,
    )
}  # fmt: skip
