"""Text from a child, cleaned once where it enters the server, so that all who show it may trust it."""

from __future__ import annotations

import re
import unicodedata

_BREAKS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")


def plain_text(text: str, limit: int) -> str:
    """Return one line of visible characters, at most `limit` of them.

    Left out are controls (escape sequences, C1), formats (bidirectional, zero width), surrogates, and what
    Unicode has not assigned; line breaks become ' | ', tabs spaces.
    """
    text = text[: 4 * limit].strip()
    if not (text.isascii() and text.isprintable()):
        flat = _BREAKS.sub(" | ", text).replace("\t", " ")
        text = "".join(character for character in flat if unicodedata.category(character)[0] != "C").strip()
    return text if len(text) <= limit else text[: limit - 3].strip() + "..."
