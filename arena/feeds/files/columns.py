"""Which columns to read where the user knows better: `time=date+clock,price=last,symbol=pair`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from arena.errors import MarketDataError
from arena.feeds.files.layouts import Layout
from arena.feeds.files.tape import Kind

_ROLES = ("time", "price", "symbol")
_FORM = "Columns are told like time=NAME,price=NAME,symbol=NAME; a number counts from 1"


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns the user names, by header or by number from 1; an empty role is guessed.

    Two names joined by `+` are a date and a clock, or bid and ask.
    """

    time: str = ""
    price: str = ""
    symbol: str = ""


def parse_columns(text: str) -> Columns:
    """Return what `--columns` says; MarketDataError if it says nothing sensible."""
    told: dict[str, str] = {}
    for part in text.split(","):
        role, sign, name = (piece.strip() for piece in part.partition("="))
        if role not in _ROLES or not sign or not name or role in told:
            raise MarketDataError(f"--columns has {part.strip()!r}. {_FORM}.", usage=True)
        told[role] = name
    return Columns(**told)


@dataclass(frozen=True, slots=True)
class Names:
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
        return int(name) - 1 if name.isdecimal() and 1 <= int(name) <= self.width else None

    def _known(self) -> str:
        numbered = [name or f"(column {n})" for n, name in enumerate(self.names or (), 1)]
        return ", ".join(numbered) or f"no header, so columns are told by number, 1 to {self.width}"

    def spoken(self, layout: Layout) -> dict[str, str]:
        """Return by role what the columns in use are called."""
        roles = {"time": layout.time, "price": layout.price}
        if layout.symbol is not None:
            roles["symbol"] = (layout.symbol,)
        return {role: " and ".join(map(self._called, places)) for role, places in roles.items() if places}

    def _called(self, place: int) -> str:
        return (self.names[place] if self.names else "") or f"column {place + 1}"


def told_layout(columns: Columns, table: Names, guess: Layout | None) -> Layout | None:
    """Return the guessed layout with the columns that were told in place of the guessed ones."""
    if columns == Columns():
        return guess
    time = table.places(columns.time, "time") or (guess.time if guess else ())
    price = table.places(columns.price, "price") or (guess.price if guess else ())
    symbol = [*table.places(columns.symbol, "symbol"), *([guess.symbol] if guess else []), None][0]
    if not time or not price:
        return None
    if guess is None:
        only = {*time, *price, symbol} - {None}
        guess = Layout(Kind.NATIVE if len(only) == table.width else Kind.TRADES, time, price)
    found = replace(guess, time=time, price=price, symbol=symbol)
    told = ", ".join(f"{role} from {name!r}" for role, name in table.spoken(found).items())
    return replace(found, note=f"Columns as told: {told}.")
