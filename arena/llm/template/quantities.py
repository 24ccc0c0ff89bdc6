"""Sizes, durations and weights: the numbers that plans share."""

from __future__ import annotations

from collections.abc import Iterable

from arena.llm.template.intents import Size
from arena.llm.template.symbols import Symbols
from arena.llm.template.text import NUMBER, CannotReadError, Text

LONGEST_PERIOD = 10_000
LONGEST_INTERVAL = 10_000_000

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TICKS = r"(?:ticks?|periods?|bars?|candles?|candlesticks?|steps?|samples?|prices|points)"
_CLOCK = r"(?:seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w)"
DURATION = rf"({NUMBER})[ -]?({_TICKS}|{_CLOCK})\b(?!')"
_MEANS = r"(?:(?:simple|exponential|rolling|running) )?(?:moving averages?|averages?|mean)"
_INDICATOR = rf"(?:ema|sma|ma|rsi|roc|momentum|donchian|bollinger(?: bands?)?|{_MEANS})"
_CASH = (
    r"(?:of )?(?:(?:my|the|its|our|your|available|total|starting|current|whole|entire|remaining) )*"
    r"(?:cash|balance|equity|capital|portfolio|money|account|funds|bankroll)(?: balance| value)?"
)
_EACH = r"(?: (?:per|each|every) (?:trade|buy|order|time|entry|purchase))?"


def number(digits: str) -> float:
    """Return a matched number; the pattern bounds its length."""
    return float(digits)


def ticks_of(count: str, unit: str, tick_seconds: float) -> int:
    """Return a duration in whole ticks, refusing one that is none or too long to keep."""
    by_clock = unit[0] in _SECONDS and unit not in {"steps", "step", "samples", "sample"}
    ticks = number(count) * (_SECONDS[unit[0]] / tick_seconds if by_clock else 1.0)
    if ticks < 1 or (not by_clock and ticks != int(ticks)):
        raise CannotReadError(f"{count} {unit} is not a whole number of ticks above zero.", count)
    if ticks > LONGEST_INTERVAL:
        raise CannotReadError(f"{count} {unit} is longer than any season.", count)
    return round(ticks)


def checked_period(ticks: int, least: int = 2) -> int:
    """Return a look-back that a bot can keep in memory, or refuse it."""
    if not least <= ticks <= LONGEST_PERIOD:
        raise CannotReadError(
            f"A look-back must be between {least} and {LONGEST_PERIOD} ticks, and this one is "
            f"{ticks}; say it in ticks, or say how long a tick is.",
            str(ticks),
        )
    return ticks


def take_periods(text: Text, tick_seconds: float, *, within: bool = False) -> list[int]:
    """Use up the look-backs in the order named; `within` also reads "in 5 minutes"."""
    lead = r"(?:over|in|within|during|for)" if within else "over"
    # A duration after "for" or "after" is a wait, which no strategy here knows.
    waits = r"(?<!for )(?<!after )(?<!within )(?<!every )(?<!wait )(?<!until )(?<!in )"
    patterns = (
        (
            rf"(?:\b(?:{lead}|of|from|for|in|across) )?(?:\b(?:the|its) )?"
            rf"(?:\b(?:last|past|previous|preceding|prior|trailing|rolling) )+{DURATION}"
        ),
        rf"\b(?:{lead}) (?:the |a |an )?{DURATION}(?: (?:window|period|lookback))?",
        rf"{waits}{DURATION}(?! (?:above|over|below|under|higher|lower)\b)",
        (
            rf"\b{_INDICATOR}[ -]?(?:of |with |over |period |length |window |= ?)*\(? ?({NUMBER})"
            r"(?! ?(?:%|std|stand|sig))(?: ?\))?"
        ),
        rf"({NUMBER})[ -](?=(?:simple |exponential )?{_INDICATOR}\b)",
        (
            rf"\b(?:period|length|lookback|look-back|window)s?(?: size| length)?"
            rf"(?: of| is| =|=|:)? ?({NUMBER})"
        ),
        (
            rf"\b(?:fast|slow|short|long|shorter|longer)(?:er)?[ -]?(?:term )?(?:period |length )?"
            rf"(?:of |is |= ?|: ?|\( ?)?({NUMBER})\b"
        ),
    )
    found: list[tuple[int, int]] = []
    for pattern in patterns:
        for match in text.take_all(pattern):
            unit = match[2] if match.re.groups == 2 else "ticks"
            found.append((match.start(), ticks_of(match[1], unit, tick_seconds)))
    return [ticks for _, ticks in sorted(found)]


def take_every(text: Text, tick_seconds: float) -> int | None:
    """Use up "every 5 minutes", "hourly" or "once a day" and return it in ticks."""
    match = text.take(rf"\b(?:every|each|once (?:every|per|an?)) (?:{DURATION})")
    if match is not None:
        return ticks_of(match[1], match[2], tick_seconds)
    match = text.take(
        r"\b(?:every|each|once (?:every|per|an?)) (?:single )?(tick|second|minute|hour|day|week)\b"
    ) or text.take(r"\b(hour|week|dai)ly\b")
    return None if match is None else ticks_of("1", match[1], tick_seconds)


def fraction(percent: float, *, below: float = 100.0) -> float:
    """Return a percentage as a fraction, refusing what makes no sense."""
    if not 0 < percent < below:
        raise CannotReadError(f"{percent:g}% is out of range here.", f"{percent:g}%")
    return round(percent / 100, 12)


def take_size(text: Text, symbols: Symbols) -> tuple[Size | None, list[str]]:
    """Use up how much to trade; return it with the symbols it was named in."""
    found: list[Size] = []
    named: list[str] = []
    for match in text.take_all(rf"({NUMBER}) ?(?:units? of )?({symbols.pattern})(?! ?%){_EACH}"):
        found.append(Size("units", number(match[1])))
        named.append(symbols.meant(match[2]))
    found += [Size("cash", number(m[1]) / 100) for m in text.take_all(rf"({NUMBER}) ?% {_CASH}{_EACH}")]
    shares = {"half": 0.5, "third": 1 / 3, "quarter": 0.25, "tenth": 0.1, "fifth": 0.2}
    for match in text.take_all(rf"\b(?:a |one )?({'|'.join(shares)}) {_CASH}{_EACH}"):
        found.append(Size("cash", shares[match[1]]))
    whole = (
        rf"\b(?:all[ -]in|(?:all|entire|whole|full)(?: of)? {_CASH}|everything (?:i|it|"
        r"we) ha(?:ve|s))\b"
    )
    found += [Size("cash", 1.0) for _ in text.take_all(whole)]
    money = rf"\$ ?({NUMBER})(?: ?(?:dollars?|usd[tc]?))?|({NUMBER}) ?(?:dollars?|usd[tc]?|bucks)\b"
    spoken = rf"(?<!below )(?<!above )(?<!under )(?<!over )(?<!at )(?<!to )(?<!hits )(?:{money})"
    found += [Size("money", number(m[1] or m[2])) for m in text.take_all(rf"{spoken}(?: worth)?(?: of)?{_EACH}")]
    units = (
        (
            rf"\b(?:(?:position|order|trade|lot|fixed)[ -])*(?:size|quantity|amount)s?(?: of|"
            rf" is| to| =|=|:)? ?"
            rf"({NUMBER})(?! ?%)"
        ),
        rf"({NUMBER})[ -]?(?:units?|coins?|shares?|contracts?|tokens?)\b{_EACH}",
    )
    found += [Size("units", number(m[1])) for p in units for m in text.take_all(p)]
    found += [
        Size("cash", number(m[1]) / 100)
        for m in text.take_all(rf"\b(?:position |order |trade )?size(?: of| is| =|:)? ?({NUMBER}) ?%")
    ]
    return _only_size(found), named


def _only_size(found: Iterable[Size]) -> Size | None:
    sizes = list(dict.fromkeys(found))
    if len(sizes) > 1:
        raise CannotReadError("It names two different sizes; a bot has one size for every purchase.")
    if not sizes:
        return None
    size = sizes[0]
    if not 0 < size.value <= (1.0 if size.kind == "cash" else 1e9):
        raise CannotReadError(f"{size.value:g} is no size that a bot can trade.")
    return size


def take_weights(text: Text, symbols: Symbols) -> tuple[tuple[str, float], ...] | None:
    """Use up portfolio weights such as "60/40 BTC/ETH" or "50% BTC, 50% cash"."""
    name = rf"({symbols.pattern}|(?<!my )(?<!the )(?<!all )(?<!its )\bcash)"
    parts = [(m[2], m[1]) for m in text.take_all(rf"({NUMBER}) ?% ?(?:in |of |into |to |on )?{name}")]
    parts += [(m[1], m[2]) for m in text.take_all(rf"{name} ?(?:at|to|:|=|with)? ?\(?({NUMBER}) ?%\)?")]
    shares = rf"({NUMBER}(?: ?[/:-] ?{NUMBER})+)"
    if not parts and (split := text.take(shares)):
        names = [m[0] for m in text.take_all(name)]
        digits = [d.strip() for d in split[1].replace(":", "/").replace("-", "/").split("/")]
        if len(names) != len(digits):
            raise CannotReadError("The weights and the symbols do not match in number.", split[1])
        parts = list(zip(names, digits, strict=True))
    if not parts and text.take(r"\b(?:equally|equal(?: weights?| amounts?| parts?)?|evenly|half and half)\b"):
        names = list(dict.fromkeys(m[0] for m in text.take_all(name)))
        parts = [(n, repr(100 / len(names))) for n in names]
    return _weights(parts, symbols) if parts else None


def _weights(parts: list[tuple[str, str]], symbols: Symbols) -> tuple[tuple[str, float], ...]:
    weights: dict[str, float] = {}
    total = 0.0
    for word, digits in parts:
        total += number(digits)
        if word == "cash":
            continue
        symbol = symbols.meant(word)
        if symbol in weights:
            raise CannotReadError(f"{symbol} has two weights.", word)
        weights[symbol] = round(number(digits) / 100, 6)
    if not weights or total > 100 + 1e-6 or min(weights.values()) <= 0:
        raise CannotReadError("The weights must be above zero and add up to at most 100%.")
    return tuple(weights.items())
