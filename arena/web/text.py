"""Answers as bytes: always valid UTF-8, whatever a program or a file has brought in."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson


def json_bytes(document: Any) -> bytes:
    """Return a document as JSON; half a surrogate pair, which is no text, becomes a replacement character."""
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        return json.dumps(whole(document), ensure_ascii=False, allow_nan=False).encode()


def whole(value: Any) -> Any:
    """Return a value whose texts hold no half surrogate pairs, and whose keys are texts."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {whole(str(key)): whole(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [whole(one) for one in value]
    return value
