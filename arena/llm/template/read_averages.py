"""Reading the strategies built on moving averages: crosses and MACD."""

from __future__ import annotations

import re

from arena.llm.template.clauses import Clauses, take_clauses
from arena.llm.template.intents import Average, Cross, Macd, PairCross, Reversion
from arena.llm.template.quantities import checked_period, number, take_periods
from arena.llm.template.read_reversion import reversion
from arena.llm.template.reading import AVERAGES, Notes, contrary, default_period
from arena.llm.template.text import NUMBER, CannotReadError, Text

_SUBJECT = r"\b(?:above|over|below|under|beneath|up|down)\b"
_SLOW = (
    r"\b(?:slow(?:er)?|long(?:er)?(?:[ -]term)?(?= (?:ema|sma|ma|average|moving|one|"
    r"period))|longer)\b"
)
_FAST = (
    r"\b(?:fast(?:er)?|quick(?:er)?|short(?:er)?(?:[ -]term)?(?= (?:ema|sma|ma|average|"
    r"moving|one|period))|shorter)\b"
)
_BETWEEN = r" ?(?:/|,|and|&|vs\.?|versus|x|-|over) ?(?:the )?"


def read_cross(text: Text, tick: float, notes: Notes) -> Cross | PairCross | Reversion:
    """Read the price against a moving average, or a fast one against a slow one."""
    whole = text.left
    paired = _pair_of_periods(text)
    periods = paired or list(dict.fromkeys(take_periods(text, tick)))
    kind = _average_kind(whole)
    worded = bool(text.take_all(f"{_SLOW}|{_FAST}"))
    two = worded or len(periods) > 1
    if len(periods) > 1 and not (paired or worded):
        _refuse_two_for_price(whole)
    text.take_all(AVERAGES)
    text.take_all(r"\bcross(?:[ -]?over)s?\b|\b(?:vs|versus|against)\b")
    crosses = text.has(r"\b(?:golden|death) cross")
    clauses = take_clauses(text)
    if clauses.buy and clauses.buy.pcts and not two:
        return _percent_reversion(clauses, periods, notes)
    clauses.refuse_extras()
    against = contrary(clauses)
    if not two and not crosses:
        return Cross(kind, default_period(periods, 20, notes), against)
    fast, slow = _fast_and_slow(periods, (50, 200) if crosses else (10, 30), notes)
    if not crosses and _slow_is_subject(whole, slow):
        against = not against
    return PairCross(kind, fast, slow, against)


def _average_kind(whole: str) -> Average:
    exponential = re.search(r"\bemas?(?:\b|[0-9])|\bexponential\b", whole) is not None
    simple = re.search(r"\bsmas?(?:\b|[0-9])|\bsimple (?:moving )?average\b", whole) is not None
    if exponential and simple:
        raise CannotReadError("It mixes simple and exponential averages; I can use one kind.", "sma")
    return "ema" if exponential else "sma"


def _refuse_two_for_price(whole: str) -> None:
    """Refuse "price above the 20 EMA, sell below the 10 EMA": that is no fast and slow pair."""
    turn = re.search(_SUBJECT + "|[<>]", whole)
    if turn is not None and re.search(NUMBER, whole[: turn.start()]) is None:
        raise CannotReadError("I can compare the price with one average, not with two.")


def _pair_of_periods(text: Text) -> list[int]:
    unit = r"(?:[ -]?(?:ticks?|periods?|bars?|candles?))?"
    after = r"(?=[ -]?(?:ticks?|period|bar|candle|ema|sma|ma\b|moving|simple|expo|averag|cross))"
    kind = r"(?:ema|sma|ma|moving averages?|averages?|crossover|cross)s?"
    match = text.take(rf"({NUMBER}){_BETWEEN}({NUMBER}){after}{unit}") or text.take(
        rf"(?:(?<=ema)|(?<=sma)|(?<=\bma)|(?<=averages)|(?<=average)|(?<=crossover)|(?<=cross))s?"
        rf"(?: with| of| periods?)* ?\(? ?({NUMBER}){_BETWEEN}(?:{kind})?\(?({NUMBER}) ?\)?{unit}"
    )
    if match is None:
        return []
    values = [number(match[1]), number(match[2])]
    if any(value != int(value) for value in values):
        raise CannotReadError("A look-back must be a whole number of ticks.", match[0])
    return [int(value) for value in values]


def _fast_and_slow(periods: list[int], default: tuple[int, int], notes: Notes) -> tuple[int, int]:
    if not periods:
        notes.append(f"No look-backs were given, so they are {default[0]} and {default[1]} ticks.")
        return default
    if len(periods) != 2 or periods[0] == periods[1]:
        raise CannotReadError("A crossover of two averages needs two different look-backs.", *map(str, periods))
    return checked_period(min(periods), 1), checked_period(max(periods))


def _slow_is_subject(whole: str, slow: int) -> bool:
    """Tell whether the text says that the slow average crosses the fast one."""
    turn = re.search(_SUBJECT, whole)
    if turn is None:
        return False
    before = whole[: turn.start()]
    named = list(re.finditer(rf"(?P<slow>{_SLOW})|{_FAST}", before))
    if named:
        return named[-1]["slow"] is not None
    numbers = re.findall(rf"{NUMBER}(?=[ -]?(?:tick|period|bar|candle|ema|sma|ma\b))", before)
    return bool(numbers) and numbers[-1] == str(slow) and _named_after(whole[turn.end() :])


def _named_after(rest: str) -> bool:
    return re.match(rf"\W*(?:the |its |a )*{NUMBER}", rest) is not None


def _percent_reversion(clauses: Clauses, periods: list[int], notes: Notes) -> Reversion:
    clauses.refuse_extras("pcts")
    if not contrary(clauses):
        raise CannotReadError("I can buy a percentage below an average, not a percentage above it.", "above")
    return reversion(clauses, "percent", default_period(periods, 20, notes))


def read_macd(text: Text, _tick: float, notes: Notes) -> Macd:
    """Read MACD and its three look-backs."""
    match = text.take(rf"({NUMBER}) ?[,/-] ?({NUMBER}) ?[,/-] ?({NUMBER})") or text.take(
        rf"\bfast(?: ema)?(?: of| is| =|:)? ?({NUMBER}),? (?:and )?slow(?: ema)?(?: of| is| =|:)? ?"
        rf"({NUMBER}),? (?:and )?signal(?: line)?(?: of| is| =|:)? ?({NUMBER})"
    )
    if text.has(r"\bpositive\b|\bnegative\b") and not text.has(r"\bhistogram\b"):
        raise CannotReadError("I can compare MACD with its signal line only.", "positive")
    text.take_all(r"\bmacd\b(?: lines?| histogram)?|\bhistogram\b|\bsignal lines?\b|\bcrossovers?\b")
    text.take_all(r"\bmomentum\b|\bmoving average convergence (?:/ ?)?divergence\b")
    clauses = take_clauses(text)
    clauses.refuse_extras()
    if contrary(clauses):
        raise CannotReadError("I can buy when MACD rises above its signal line, not below it.", "below")
    if match is None:
        notes.append("No look-backs were given, so they are 12, 26 and 9 ticks.")
    values = [int(number(digits)) for digits in (match.groups() if match else ("12", "26", "9"))]
    fast, slow, signal = (checked_period(value, 1) for value in values)
    if fast >= slow:
        raise CannotReadError("MACD needs a fast look-back below the slow one.", str(fast))
    return Macd(fast, slow, signal)
