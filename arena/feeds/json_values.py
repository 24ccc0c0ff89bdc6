"""Single values of a venue's JSON: each function returns a valid value, or its empty one for anything else."""

from __future__ import annotations

import math
from typing import Any


def parse_price(value: object) -> float | None:
    """Return a finite price above 0 from a number or a string."""
    if isinstance(value, bool) or not isinstance(value, str | float | int):
        return None
    try:
        price = float(value)
    except (ValueError, OverflowError):
        return None
    return price if math.isfinite(price) and price > 0.0 else None


def parse_number(value: object) -> float | None:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def parse_text(value: object) -> str:
    """Return a string."""
    return value if isinstance(value, str) else ""


def parse_object(value: object) -> dict[str, Any]:
    """Return a JSON object."""
    return value if isinstance(value, dict) else {}


def parse_objects(value: object) -> list[dict[str, Any]]:
    """Return the objects of a JSON list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
