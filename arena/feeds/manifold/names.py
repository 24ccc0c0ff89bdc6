"""What a user writes for a Manifold market, and what its answers are called in a bot's SYMBOLS.

    EvIhzcJXwhL0HavaszD7                              a market by its id
    will-it-rain-tomorrow                             or by its slug
    https://manifold.markets/Ann/will-it-rain-tomorrow    or by its page: the same as the slug
    who-will-win:ann-lee                              one answer of a multiple-choice market

A yes/no market's symbol is what was written; a multiple-choice market has a symbol for every answer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

MAX_SYMBOL = 64
# With less room for it than this, no answer could be told from another, nor its id be written.
_LEAST_ROOM = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A configured market: its id or slug, and an answer's name or id where only that one is wanted."""

    market: str
    answer: str = ""

    @property
    def symbol(self) -> str:
        """Return what was written, as one word."""
        return f"{self.market}:{self.answer}" if self.answer else self.market

    @property
    def room(self) -> int:
        """Return how long the name of an answer may be; 0 where there is no sense in one."""
        room = MAX_SYMBOL - len(self.market) - 1
        return room if room >= _LEAST_ROOM else 0


def entry_of(text: str) -> Entry:
    """Read one configured market; of a page's address the last part is its slug."""
    text = text.strip()
    if "/" in text:
        text = unquote(urlsplit(text).path).rstrip("/").rpartition("/")[2]
    market, _, answer = text.partition(":")
    return Entry(market.strip(), answer.strip())


def answer_name(answer_id: str, text: str, room: int, taken: Container[str]) -> str:
    """Return a name for an answer: its text as a slug, its id where that is empty or taken, "" for none."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:room].rstrip("-")
    for name in (slug, answer_id):
        if name and len(name) <= room and name not in taken:
            return name
    return ""
