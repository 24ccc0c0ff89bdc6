"""Which of the wanted symbols a venue has, and in words which it has not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches

_SHOWN = 5


def sorted_out(wanted: Sequence[str], known: Collection[str]) -> tuple[tuple[str, ...], str]:
    """Return the wanted symbols that are known, and a sentence about the others, empty if there are none."""
    unknown = [symbol for symbol in wanted if symbol not in known]
    if not unknown:
        return tuple(wanted), ""
    named = [_named(symbol, known) for symbol in unknown[:_SHOWN]]
    if len(unknown) > _SHOWN:
        named.append(f"{len(unknown) - _SHOWN} more")
    listed = " and ".join(part for part in (", ".join(named[:-1]), named[-1]) if part)
    return tuple(symbol for symbol in wanted if symbol in known), f"Binance has no {listed}: left out."


def _named(symbol: str, known: Collection[str]) -> str:
    near = get_close_matches(symbol, known, n=3, cutoff=0.7)
    return f"{symbol} (near: {', '.join(near)})" if near else symbol
