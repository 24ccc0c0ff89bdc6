"""When two names look alike: both have the same skeleton (Unicode UTS 39, for letters with look-alikes in Latin)."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# " v2" and " #2" are what Arena puts behind a name to tell versions and namesakes apart.
_NUMBERED = re.compile(r"\s+[v#]\d+$")
_JOINTS = re.compile(r"[\s_.\-]+")
# What is read as one letter: digits for letters, pairs for one, and i for l, since a capital i is a small l. No two
# digits become the same, so that numbers still tell names apart.
_PAIRS = (("rn", "m"), ("vv", "w"))
_ALIKE = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "!": "l", "5": "s", "$": "s", "@": "a", "3": "e"})


def skeleton(name: str) -> str:
    """Return what a name looks like: equal skeletons mean that one can be taken for the other.

    The case of letters, spaces, dots, hyphens and underscores, accents and a number of Arena's own make no difference.
    A name of nothing but digits and signs is its own skeleton.
    """
    shown = unicodedata.normalize("NFKC", name).strip()
    if not shown.isascii():
        # Before the case is folded, too: a Cyrillic capital looks Latin where its small letter does not.
        shown = _as_latin(_as_latin(shown).casefold())
    shown = shown.casefold()
    shown = _JOINTS.sub("", _NUMBERED.sub("", shown) or shown)
    if not any(one.isalpha() for one in shown):
        return shown
    shown = shown.translate(_ALIKE)
    for pair, one in _PAIRS:
        shown = shown.replace(pair, one)
    return shown


def imitates(name: str, other: str) -> bool:
    """Say whether a name looks like another without being it; a number of Arena's own does not count."""
    if _NUMBERED.sub("", name.strip()) == _NUMBERED.sub("", other.strip()):
        return False
    return bool(skeleton(name)) and skeleton(name) == skeleton(other)


def _as_latin(text: str) -> str:
    bare = (one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    table = _latin()
    return "".join(one if one.isascii() else table.get(one, one) for one in bare)


@cache
def _latin() -> dict[str, str]:
    """Return the small Latin letter, or the two, that each character of another alphabet looks like."""
    from confusable_homoglyphs.confusables import confusables_data

    found: dict[str, str] = {}
    for character, alike in confusables_data.items():
        if len(character) == 1 and not character.isascii():
            letters = [one["c"] for one in alike if one["c"].isascii() and one["c"].isalpha()]
            if letters:
                found[character] = min(letters, key=lambda one: (len(one), not one.islower(), one)).lower()
    return found
