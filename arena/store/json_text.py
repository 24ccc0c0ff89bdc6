"""Values as the text that JSON columns keep."""

from __future__ import annotations

import json
from typing import Any

import orjson


def to_json(value: Any) -> str:
    """Return a value as the JSON text that a JSON column keeps."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        # Half a surrogate pair in a program's text, say: the standard library writes it as an escape.
        return json.dumps(value)


def from_json(text: str | bytes) -> Any:
    """Return what a JSON text says."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
