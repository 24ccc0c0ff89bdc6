"""A description as text that is used up piece by piece, so that what nobody used can be named."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 4_000
USED = "\x00"

NUMBER = r"(?<![\w.])(?:[0-9]{1,12}(?:\.[0-9]{1,10})?|\.[0-9]{1,10})(?!\.?[0-9])"

_ONES = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "fourteen": 14, "fifteen": 15,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90,
}  # fmt: skip
_TENS_WORD = "|".join(_TENS)
_ONES_WORD = "|".join(_ONES)
# "one" alone is mostly a pronoun; it counts only before something that is counted.
_COUNTED = r"(?=[ -](?:%|percent|per cent|unit|bitcoin|btc|eth|minute|hour|second|coin|day|std|stand))"
# A whole number before "k" or "thousand": of "2.5" not the "5", of "1,500" not the "500".
_NUMBER = r"(?<![\w.,])([0-9]{1,6}(?:\.[0-9]{1,3})?)"
_SWAPS = (
    (re.compile("[\u2264\u2a7d]"), "<="),
    (re.compile("[\u2265\u2a7e]"), ">="),
    (re.compile("\u2044"), "/"),
    # Another currency than the dollar is a word, not a sign that is passed over.
    (re.compile("\u20ac"), " euros "),
    (re.compile("\u00a3"), " gbp "),
    (re.compile("\u00a5"), " jpy "),
    (re.compile("\u20b9"), " inr "),
    (re.compile("\u20bf"), " btc "),
    (re.compile("!=|\u2260"), " not "),
    (re.compile("(?<=[0-9]) ?[*\u00d7] ?(?=[0-9])"), " times "),
    (re.compile(r"[\u2010-\u2015\u2212]"), "-"),
    (re.compile(r"[\u2018\u2019]"), "'"),
    (re.compile(r"\bper cent\b|\bpercent(?:age)?\b|\bpct\b"), "%"),
    # A comma behind a lone zero is a decimal one.
    (re.compile(r"(?<![\w.,])0,(?=[0-9]+(?![\w,]))"), "0."),
    (re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))"), ""),
    # "30 $BTC" are 30 BTC, and "5000$" is "$5000".
    (re.compile(r"(?<![0-9])\$(?=[a-z])"), ""),
    (re.compile(r"(?<![\w.$])([0-9]+(?:\.[0-9]+)?) ?\$(?! ?[0-9])"), r"$\1"),
    (re.compile(r"[^\w\s.,;:/%$()+=<>&'-]"), " "),
    (re.compile(r"\bas long as\b"), "while"),
    (re.compile(r"\bw/"), "with "),
    (re.compile(r"\b(last|past|previous) (?=(?:second|minute|hour|day|tick)\b)"), r"\1 1 "),
)

# Those before are made before numbers are written as digits.
_WORDS_FIRST = next(n for n, (pattern, _) in enumerate(_SWAPS) if "per cent" in pattern.pattern) + 1


class CannotReadError(Exception):
    """The description cannot be turned into a bot; the message is a sentence for its author."""

    def __init__(self, reason: str, *unused: str) -> None:
        self.reason = reason
        self.unused = unused
        super().__init__(reason)


class Text:
    """Normalised text; what is taken is blotted out, so nothing is understood twice."""

    def __init__(self, raw: str) -> None:
        self.left = normalised(raw)

    def has(self, pattern: str) -> bool:
        """Tell whether the pattern occurs in what is left."""
        return re.search(pattern, self.left) is not None

    def take(self, pattern: str) -> re.Match[str] | None:
        """Use up the first occurrence and return it."""
        match = re.search(pattern, self.left)
        if match is not None:
            self._blot(match)
        return match

    def take_all(self, pattern: str) -> list[re.Match[str]]:
        """Use up every occurrence and return them in order."""
        matches = list(re.finditer(pattern, self.left))
        for match in matches:
            self._blot(match)
        return matches

    def words(self) -> list[str]:
        """Return the words and numbers that are left, with what belongs to a number."""
        return re.findall(r"\$?[0-9][\w.]*%?|[^\W\d_][\w']*", self.left)

    def _blot(self, match: re.Match[str]) -> None:
        start, end = match.span()
        self.left = self.left[:start] + USED * (end - start) + self.left[end:]


def normalised(raw: str) -> str:
    """Return the text in small letters, numbers as digits, anything odd as a space."""
    text = unicodedata.normalize("NFKC", raw[:LONGEST]).lower()
    text = "".join(" " if unicodedata.category(c).startswith(("C", "Z")) else c for c in text)
    for pattern, plain in _SWAPS[:_WORDS_FIRST]:
        text = pattern.sub(plain, text)
    text = _numbers(text)
    for pattern, plain in _SWAPS[_WORDS_FIRST:]:
        text = pattern.sub(plain, text)
    text = re.sub(r"\bhalf (?:a |of a |of )?(?=%|percent)", "0.5 ", text)
    return re.sub(r"[ ]{2,}", " ", text)


def _numbers(text: str) -> str:
    text = re.sub(
        rf"\b({_TENS_WORD})(?:[ -](one|two|three|four|five|six|seven|eight|nine))?\b",
        lambda m: str(_TENS[m[1]] + _ONES.get(m[2] or "", 0)),
        text,
    )
    text = re.sub(
        rf"\b(?:({_ONES_WORD}|a) )(hundred|thousand)\b",
        lambda m: str(_ONES.get(m[1], 1) * (100 if m[2] == "hundred" else 1000)),
        text,
    )
    text = re.sub(rf"{_NUMBER}[ -]thousand\b", _thousands, text)
    text = re.sub(rf"\bone\b{_COUNTED}", "1", text)
    words = "|".join(word for word in _ONES if word != "one")
    text = re.sub(rf"\b({words})\b", lambda m: str(_ONES[m[1]]), text)
    return re.sub(rf"{_NUMBER}k\b", _thousands, text)


def _thousands(found: re.Match[str]) -> str:
    return f"{float(found[1]) * 1000:.10g}"
