"""Single values of Manifold's JSON: each function returns what makes sense, and None for all else."""

from __future__ import annotations

import math
from typing import Any

_LATEST = 8.64e15  # the last moment JavaScript knows, in milliseconds


def number_of(value: object) -> float | None:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def probability_of(value: object) -> float | None:
    """Return a probability that can be a price: 0 and 1 are no prices."""
    number = number_of(value)
    return number if number is not None and 0.0 < number < 1.0 else None


def share_of(value: object) -> float | None:
    """Return what a share is worth in the end: 0 and 1 included."""
    number = number_of(value)
    return number if number is not None and 0.0 <= number <= 1.0 else None


def seconds_of(value: object) -> float | None:
    """Return a time in milliseconds as seconds."""
    number = number_of(value)
    return number / 1e3 if number is not None and 0.0 < number <= _LATEST else None


def text_of(value: object) -> str:
    """Return a text, empty for all else."""
    return value if isinstance(value, str) else ""


def fields_of(value: object) -> dict[str, Any]:
    """Return a JSON object, empty for all else."""
    return value if isinstance(value, dict) else {}


def items_of(value: object) -> list[dict[str, Any]]:
    """Return the objects of a JSON list, empty for all else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
