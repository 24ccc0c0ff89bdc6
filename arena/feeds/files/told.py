"""What the user tells of a table where a guess is wrong: its columns, its zone, its bars.

--columns time=date+clock,price=last,symbol=pair,decimal=comma
--zone America/New_York
--bar 5m,end
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from arena.errors import MarketDataError
from arena.feeds.files.columns import Header, Layout, with_note
from arena.feeds.files.naming import bar_seconds, clean
from arena.feeds.files.report import RowKind
from arena.feeds.files.times import zone_of

_ROLES = ("time", "price", "symbol", "decimal")
_FORM = "Columns are told like time=NAME,price=NAME,symbol=NAME; a number counts from 1"
_BAR = "Say when bars are stamped, start or end, how long they are, like 5m, both, like 5m,end, or none for no bars"


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns the user names, by header or by number from 1; an empty role is guessed.

    Two names joined by `+` are a date and a clock, or bid and ask. `zone` is that of times which say
    none. `stamped` is start, end or none, `length` the seconds of a bar.
    """

    time: str = ""
    price: str = ""
    symbol: str = ""
    decimal: str = ""
    zone: str | None = None
    stamped: str = ""
    length: float | None = None

    def names_none(self) -> bool:
        """Tell whether no column was named."""
        return not (self.time or self.price or self.symbol)


def parse_columns(text: str | None, zone: str | None = None, bar: str | None = None) -> Columns:
    """Return what `--columns`, `--zone` and `--bar` say; MarketDataError if one says nothing sensible."""
    told: dict[str, str] = {}
    for part in [] if text is None else text.split(","):
        role, sign, name = (piece.strip() for piece in part.partition("="))
        if role not in _ROLES or not sign or not name or role in told:
            raise MarketDataError(f"--columns has {part.strip()!r}. {_FORM}.", usage=True)
        told[role] = name
    stamped, length = _parse_bar(bar)
    return Columns(**told, zone=None if zone is None else zone_of(zone), stamped=stamped, length=length)


def _parse_bar(bar: str | None) -> tuple[str, float | None]:
    stamped, length = "", None
    for part in [] if bar is None else bar.split(","):
        word = part.strip().lower()
        seconds = bar_seconds(word)
        if word in {"start", "end", "none"} and not stamped:
            stamped = word
        elif seconds is not None and length is None:
            length = seconds
        else:
            raise MarketDataError(f"--bar is {bar!r}. {_BAR}.", usage=True)
    return stamped, length


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """What the columns of one table are called, if anything, and how many there are."""

    label: str
    width: int
    names: Sequence[str] | None = None

    def places(self, told: str, role: str) -> tuple[int, ...]:
        """Return the places of the columns that a role was told: none, one or two."""
        if not told:
            return ()
        whole = self._place(told)
        parts = [whole] if whole is not None else [self._place(part.strip()) for part in told.split("+")]
        places = [place for place in parts if place is not None]
        if len(places) < len(parts) or len(places) > (1 if role == "symbol" else 2):
            raise MarketDataError(
                f"{self.label} has no column {told!r} to take the {role} from; it has {self._known()}.", usage=True
            )
        return tuple(places)

    def _place(self, name: str) -> int | None:
        """Find a column by its exact name, by its name in any case, or by its number."""
        exact = list(self.names or ())
        for own, sought in ((exact, name), ([known.lower() for known in exact], name.lower())):
            if sought in own:
                return own.index(sought)
        return int(name) - 1 if name.isascii() and name.isdecimal() and 1 <= int(name) <= self.width else None

    def _known(self) -> str:
        numbered = [clean(name) or f"(column {n})" for n, name in enumerate(self.names or (), 1)]
        return ", ".join(numbered) or f"no header, so columns are told by number, 1 to {self.width}"

    def spoken(self, layout: Layout) -> dict[str, str]:
        """Return by role what the columns in use are called."""
        roles = {"time": layout.time, "price": layout.price or tuple(place for _, place in layout.wide)}
        if layout.symbol is not None:
            roles["symbol"] = (layout.symbol,)
        return {role: " and ".join(map(self._called, places)) for role, places in roles.items() if places}

    def _called(self, place: int) -> str:
        return clean((self.names[place] if self.names else "") or "") or f"column {place + 1}"


def told_layout(told: Columns, table: ColumnNames, guess: Layout | None, sample: list[list[str]]) -> Layout | None:
    """Return the guessed layout with what was told in place of what was guessed."""
    found = guess if told.names_none() else _told_columns(told, table, guess, sample)
    if found is None:
        return None
    if told.stamped == "none":
        kind = RowKind.NATIVE if found.kind is RowKind.BARS else found.kind
        found = replace(found, kind=kind, ends=True, still=True)
    elif told.stamped or told.length is not None:
        ends = found.ends if not told.stamped else told.stamped == "end"
        found = replace(found, kind=RowKind.BARS, ends=ends, step=told.length or found.step, id=None)
    return found if told.zone is None else replace(found, zone=told.zone)


def _told_columns(told: Columns, table: ColumnNames, guess: Layout | None, sample: list[list[str]]) -> Layout | None:
    time = table.places(told.time, "time") or (guess.time if guess else ())
    price = table.places(told.price, "price") or (guess.price if guess else ())
    symbol = [*table.places(told.symbol, "symbol"), *([guess.symbol] if guess else []), None][0]
    if guess is not None and not told.price and guess.wide:
        found = replace(guess, time=time, symbol=symbol)
    elif not time or not price:
        return None
    else:
        only = {*time, *price, symbol} - {None}
        blank = Layout(RowKind.NATIVE if len(only) == table.width else RowKind.TRADES, time, price)
        if guess is None or guess.wide:
            # Told columns of a table of bars are still bars, whatever the others are called.
            bars = any(re.search(r"(?i)open|high|low|close", name) for name in table.names or ())
            guess = replace(blank, kind=RowKind.BARS) if bars else blank
        found = replace(guess, time=time, price=price, symbol=symbol, wide=())
        if told.price:
            found = replace(found, candle=(), positional=False, own=None)
    note = with_note(replace(found, note=""), Header(table.names or [""] * table.width, sample)).note
    return replace(found, note=f"Columns as told: {note[0].lower()}{note[1:]}", told=True)
