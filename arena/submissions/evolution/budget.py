"""What an evolution may spend on models: so many tokens, or so many US dollars."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_FORM = re.compile(r"(?P<before>\$?)\s*(?P<number>\d[\d,_]*(?:\.\d+)?|\.\d+)\s*(?P<unit>[a-z$]*)")
_UNITS = {
    "": "", "$": "usd", "usd": "usd", "dollar": "usd", "dollars": "usd", "token": "tokens", "tokens": "tokens",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit in one unit, `tokens` or `usd`."""

    unit: str
    limit: float

    @property
    def words(self) -> str:
        """Return the budget as people say it."""
        return amount(self.limit, self.unit)


def amount(value: float, unit: str) -> str:
    """Return so much of a unit as people say it."""
    return f"{value:,.4g} US dollars" if unit == "usd" else f"{value:,.0f} tokens"


def read_budget(text: str) -> Budget:
    """Return the budget that a text says, as in `5usd`, `$5` or `200000tokens`; ValueError says what is wrong."""
    found = _FORM.fullmatch(text.strip().lower())
    if found is None or found["unit"] not in _UNITS or (found["before"] and _UNITS[found["unit"]] == "tokens"):
        raise ValueError(f"'{text}' is no budget: write dollars as in 5usd, or tokens as in 200000tokens.")
    unit = "usd" if found["before"] else _UNITS[found["unit"]]
    if not unit:
        raise ValueError(f"Is {text} dollars or tokens? Write {text}usd or {text}tokens.")
    limit = float(found["number"].replace(",", "").replace("_", ""))
    if not math.isfinite(limit) or limit <= 0.0:
        raise ValueError("A budget must be more than nothing.")
    return Budget(unit, limit)
