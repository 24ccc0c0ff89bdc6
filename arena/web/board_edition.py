"""The board at one moment, and the bytes that each question gets of it."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import orjson

from arena.web.views import CSV_COLUMNS, csv_line

_GZIP_LEVEL = 4


class Question(NamedTuple):
    """What of the board is wanted, and in which dress."""

    sort: str
    order: str
    limit: int
    cursor: int
    csv: bool
    gzip: bool
    season_id: str = ""  # of a past season; else the one that is played


@dataclass(frozen=True)
class BoardEdition:
    """The board at one moment; `shown` is what the seats looked like then."""

    shown: tuple[Any, ...]
    season: bytes
    summary: bytes
    items: list[dict[str, Any]]
    as_of: list[float | None]

    @cached_property
    def rows(self) -> list[bytes]:
        """Return every row as JSON."""
        return [orjson.dumps(item) for item in self.items]

    @cached_property
    def lines(self) -> list[bytes]:
        """Return every row as a line of CSV."""
        return [csv_line(item[column] for column in CSV_COLUMNS).encode() for item in self.items]

    @cached_property
    def digest(self) -> str:
        """Return what tells this edition from any other, on every server and at every time."""
        found = hashlib.blake2b(self.season, digest_size=12)
        found.update(self.summary)
        found.update(orjson.dumps(self.as_of))
        found.update(b"\n".join(self.rows))
        return found.hexdigest()

    def tag(self, asked: Question) -> str:
        """Return the entity tag: one a representation, because each has bytes of its own."""
        return f'"{self.digest}-{"c" if asked.csv else "j"}{"z" if asked.gzip else ""}"'

    def body(self, asked: Question) -> bytes:
        """Return one page of the board."""
        places = self._places(asked.sort, descending=asked.order == "desc")
        shown = places[asked.cursor : asked.cursor + asked.limit]
        following = asked.cursor + asked.limit if asked.cursor + asked.limit < len(places) else None
        body = self._csv(shown) if asked.csv else self._json(shown, following)
        return gzip.compress(body, _GZIP_LEVEL, mtime=0) if asked.gzip else body

    def _places(self, sort: str, *, descending: bool) -> list[int]:
        if sort == "rank" and not descending:
            return list(range(len(self.items)))
        values = [item[sort] for item in self.items]
        known = [place for place, value in enumerate(values) if value is not None]
        unknown = [place for place, value in enumerate(values) if value is None]
        return sorted(known, key=values.__getitem__, reverse=descending) + unknown

    def _json(self, places: list[int], following: int | None) -> bytes:
        times = [self.as_of[place] for place in places]
        as_of = max((moment for moment in times if moment is not None), default=None)
        rows = b",".join([self.rows[place] for place in places])
        return b'{"season":%b,"as_of":%b,"summary":%b,"items":[%b],"next_cursor":%b}' % (
            self.season,
            orjson.dumps(as_of),
            self.summary,
            rows,
            orjson.dumps(following),
        )

    def _csv(self, places: list[int]) -> bytes:
        return csv_line(CSV_COLUMNS).encode() + b"".join([self.lines[place] for place in places])


@lru_cache(maxsize=256)
def takes_gzip(accept_encoding: str) -> bool:
    """Say whether a client takes gzip."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, *parameters = (word.strip() for word in part.split(";"))
        weight = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        try:
            weights[name] = float(weight)
        except ValueError:
            weights[name] = 0.0
    return weights.get("gzip", weights.get("*", 0.0)) > 0.0
