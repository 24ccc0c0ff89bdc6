"""Mends words that are nearly one that the reader knows, and says so."""

from __future__ import annotations

import difflib
import re

_KNOWN = (
    "buy",
    "sell",
    "when",
    "below",
    "above",
    "under",
    "over",
    "crosses",
    "cross",
    "crossing",
    "price",
    "average",
    "moving",
    "exponential",
    "simple",
    "bollinger",
    "band",
    "bands",
    "upper",
    "lower",
    "middle",
    "breakout",
    "momentum",
    "reversion",
    "rebalance",
    "every",
    "ticks",
    "minutes",
    "hours",
    "seconds",
    "profit",
    "loss",
    "stop",
    "trailing",
    "bitcoin",
    "ethereum",
    "overbought",
    "oversold",
    "falls",
    "drops",
    "rises",
    "climbs",
    "reaches",
    "while",
    "between",
    "signal",
    "highest",
    "lowest",
    "before",
    "after",
    "period",
    "strategy",
    "portfolio",
    "percent",
    "dollars",
    "position",
    "crossover",
    "golden",
    "death",
    "donchian",
    "channel",
    "deviation",
    "deviations",
    "standard",
    "ratio",
    "spread",
    "window",
    "length",
    "lookback",
    "high",
    "low",
    "rising",
    "falling",
)


def mended(text: str, unknown: list[str]) -> tuple[str, list[str]]:
    """Return the text with misspelt words put right, and a note for each."""
    notes = []
    for word in dict.fromkeys(unknown):
        if len(word) < 3 or not word.isalpha():
            continue
        near = difflib.get_close_matches(
            word, [k for k in _KNOWN if k[0] == word[0] and abs(len(k) - len(word)) <= 1], 1, 0.79
        )
        if near and near[0] != word:
            text = re.sub(rf"\b{re.escape(word)}\b", near[0], text)
            notes.append(f"'{word}' was read as '{near[0]}'.")
    return text, notes
