"""Text that strangers wrote, cleaned once at the border.

Control characters, bidirectional overrides and zero-width characters are taken out, so that no
name, log line or error can move a cursor, reorder a page, or hide in one.
"""

from __future__ import annotations

import re
import unicodedata

LINE_LIMIT = 500
NAME_LIMIT = 80

_BREAKS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_SPACES = re.compile(r"\s+")
_LONGEST_CELL = 32_767  # characters, as spreadsheets have it
# The wide forms are read as the narrow ones by spreadsheets of some languages.
_FORMULAS = frozenset(
    "=+-@\t\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)


def _visible(character: str) -> bool:
    category = unicodedata.category(character)
    # Cc controls, Cf formats (bidi, zero width), Cs surrogates, Co private, Cn unassigned
    return category[0] != "C"


def _strip(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(character for character in text if _visible(character))


def clean_line(text: str, limit: int = LINE_LIMIT) -> str:
    """Return one line of visible text; line breaks become ' | ', tabs spaces."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    flat = _BREAKS.sub(" | ", text[: limit * 4].strip()).replace("\t", " ")
    cleaned = _strip(flat)
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 3] + "..."


def clean_text(text: str) -> str:
    """Return text of several lines without what a terminal would obey; line breaks and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character for character in text.replace("\r\n", "\n").replace("\r", "\n")
        if character in "\n\t" or _visible(character)
    )  # fmt: skip


def clean_name(text: str) -> str:
    """Return a bot's name in NFC with single spaces, '' if nothing visible is left."""
    flat = _SPACES.sub(" ", unicodedata.normalize("NFC", text[: NAME_LIMIT * 4]))
    # Once more, because what was taken out may have stood between two spaces.
    return _SPACES.sub(" ", _strip(flat)).strip()


def csv_cell(value: object) -> str:
    """Return a CSV cell: one line of visible text; what a spreadsheet would run as a formula is defused."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return repr(value)
    text = clean_line(str(value), _LONGEST_CELL)
    return f"'{text}" if text.lstrip()[:1] in _FORMULAS else text
