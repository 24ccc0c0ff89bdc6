"""Reading the strategies that follow a plan: hold, rebalance, regular buys, grids and pairs."""

from __future__ import annotations

import re

from arena.llm.template.intents import Dca, Grid, Hold, Pairs, Rebalance
from arena.llm.template.quantities import (
    checked_period,
    fraction,
    number,
    take_every,
    take_periods,
    take_weights,
)
from arena.llm.template.reading import AVERAGES, Notes, default_period
from arena.llm.template.symbols import Symbols
from arena.llm.template.text import NUMBER, CannotReadError, Text

_HOLD_WORDS = (
    r"\b(?:buy|buying)[ -]?(?:and|&|n|then)[ -]?hold(?:ing)?\b|\bhodl\w*|\bhold(?:ing|s)?(?: on)?"
    r"(?: to)?(?: it| them| forever| the rest)*\b|\b(?:and )?(?:never|do(?: not|n't)) "
    r"sell(?: it)?\b"
    r"|\bforever\b|\bfor the long[ -]term\b|\blong[ -]term\b|\b(?:until|to|till) the (?:very "
    r")?end\b"
    r"|\bonce\b|\b(?:at|on|from) the (?:very )?(?:start|beginning|first tick)\b|\bfirst tick\b"
    r"|\b(?:buys?|invests?|splits?|allocates?|portfolio|start|split|between|among|across|my|all|of)\b|\b(?:cash|capital|money)\b"
)


def read_hold(text: Text, symbols: Symbols, sized: list[str], notes: Notes) -> Hold:
    """Read one purchase that is kept."""
    weights = take_weights(text, symbols)
    if text.has(r"\bnever buy|\bsell\b(?<!never sell)(?<!not sell)(?<!n't sell)"):
        raise CannotReadError("Buy and hold never sells by a rule of its own.", "sell")
    text.take_all(_HOLD_WORDS)
    named = list(dict.fromkeys([*sized, *symbols.take_from(text)]))
    if weights is not None:
        if set(named) - {symbol for symbol, _ in weights}:
            raise CannotReadError("It names a symbol without a weight.", *named)
        return Hold(weights)
    if not named:
        notes.append(f"No symbol was named, so it is {symbols.default}.")
    held = named or [symbols.default]
    if len(held) > 1:
        notes.append("No weights were given, so they are equal.")
    return Hold(tuple((symbol, round(1 / len(held), 6)) for symbol in held))


def read_rebalance(text: Text, tick: float, symbols: Symbols, notes: Notes) -> Rebalance:
    """Read target weights and how often to restore them."""
    drift = text.take(
        rf"\b(?:if|when|whenever|once)?(?: the| any| a| its| one)*(?: weights?| allocation| asset)?"
        rf" ?(?:drifts?|deviates?|is off|off)(?: by| from target)*(?: more than| over| at least)?"
        rf" ({NUMBER}) ?%(?: from (?:the |its )?targets?)?"
    ) or text.take(rf"({NUMBER}) ?% (?:drift|deviation|threshold|tolerance)\b")
    interval = take_every(text, tick)
    weights = take_weights(text, symbols)
    text.take_all(r"\brebalanc\w+|\bportfolio\b|\bweights?\b|\ballocat\w+|\btargets?\b|\bsplit\b")
    text.take_all(r"\b(?:hold|keep|maintain|holding|keeping|buy|invest|mix)s?\b|\bcash\b|\bbetween\b")
    named = symbols.take_from(text)
    if weights is None:
        if len(named) < 2:
            raise CannotReadError("It does not say which weights to keep; say '60/40 BTC/ETH'.")
        weights = tuple((symbol, round(1 / len(named), 6)) for symbol in named)
        notes.append("No weights were given, so they are equal.")
    if set(named) - {symbol for symbol, _ in weights}:
        raise CannotReadError("It names a symbol without a weight.", *named)
    if interval is None:
        interval = 1 if drift else 100
        if not drift:
            notes.append("No interval was given, so it is 100 ticks.")
    return Rebalance(weights, interval, fraction(number(drift[1])) if drift else None)


def read_dca(text: Text, tick: float, notes: Notes) -> Dca:
    """Read a regular purchase."""
    interval = take_every(text, tick)
    text.take_all(r"\bdca\b|\bdollar[- ]cost[- ]averag\w+|\bhodl\b|\bhold\b|\bnever sell\b")
    text.take_all(r"\b(?:regularly|accumulate|invest|purchase|buy|stack|buying)s?\b")
    if text.has(r"\b(?:sell|exit|close)s?\b"):
        raise CannotReadError("Regular buying never sells by a rule of its own.", "sell")
    if interval is None:
        notes.append("No interval was given, so it buys every 100 ticks.")
    return Dca(interval or 100)


def read_grid(text: Text, _tick: float, notes: Notes) -> Grid:
    """Read a grid: how many lots, how far apart, or between which prices."""
    span = text.take(
        rf"\b(?:between|from|range(?: of)?|in) \$? ?({NUMBER}) ?(?:and|to|-) ?\$? "
        rf"?({NUMBER})(?! ?%)"
    )
    levels = text.take(rf"({NUMBER})[ -]?(?:grid )?(?:levels?|lines?|lots?|steps|grids?|orders?|rungs)\b")
    step = text.take(
        rf"({NUMBER}) ?%(?! (?:of )?(?:my |the |its )*(?:cash|balance|capital))(?: (?:apart|"
        rf"spacings?|steps?|gaps?|between(?: (?:them|levels|lines|each))?|"
        rf"grid|intervals?|distance|each|wide))?"
    )
    text.take_all(r"\b(?:grid|spacing|spaced|gaps?|steps?|apart|distance|evenly|range|intervals?)\b")
    text.take_all(
        r"\bbuy(?:s|ing)? (?:low|on (?:the )?way down|dips|lower)\b|\bsell(?:s|ing)? (?:high|"
        r"higher|"
        r"on (?:the )?way up)\b"
    )
    count = number(levels[1]) if levels else 5.0
    if not levels:
        notes.append("No number of levels was given, so it has 5.")
    if count != int(count) or not 1 <= count <= 200:
        raise CannotReadError("A grid has between 1 and 200 levels.", f"{count:g}")
    if span is None:
        if step is None:
            notes.append("No distance was given, so the levels are 0.2% apart.")
        return Grid(int(count), fraction(number(step[1])) if step else 0.002)
    low, high = number(span[1]), number(span[2])
    if step is not None or not 0 < low < high:
        raise CannotReadError("A range needs a lower and a higher price and no distance besides.")
    return Grid(int(count), 0.0, low, high)


def read_pairs(text: Text, tick: float, symbols: Symbols, notes: Notes) -> Pairs:
    """Read the reversion of a ratio of two symbols."""
    periods = take_periods(text, tick)
    named = list(dict.fromkeys(symbols.meant(m) for m in re.findall(symbols.pattern, text.left)))
    if not named and {"ETHUSDT", "BTCUSDT"} <= set(symbols.market):
        named = ["ETHUSDT", "BTCUSDT"]
        notes.append("No symbols were named, so it trades ETHUSDT against BTCUSDT.")
    if len(named) != 2:
        raise CannotReadError("A ratio needs exactly two symbols, such as ETH/BTC.", *named)
    ratio = (
        rf"{symbols.pattern} ?(?:/|-|vs\.?|versus|to|and|against|over|divided by) "
        rf"?{symbols.pattern}"
    )
    text.take(ratio)
    _refuse_reversed(text.left, symbols, named[0])
    text.take_all(symbols.pattern)
    text.take_all(
        r"\b(?:pairs?|ratio|spread|arbitrage|statistical|stat|arb|z[- ]?scores?|mean[- ]?rever\w+|"
        r"rever\w+|cheap|cheaper|expensive|rich|relative|switch|swap|rotate|other|normal\w*|"
        r"opposite|between|against|versus|vs)\b"
    )
    amounts = [
        number(m[1])
        for m in text.take_all(rf"-?({NUMBER})(?! ?%)[ -]?(?:std(?:ev)?s?|sds?|sigmas?|standard deviations?)?\b")
    ]
    text.take_all(AVERAGES + r"|\b(?:std|standard deviations?|deviations?|rolling)\b")
    clauses = _take_turns(text)
    if clauses:
        raise CannotReadError("", *clauses)
    if len(set(amounts)) > 1 or not all(0 < amount <= 10 for amount in amounts):
        raise CannotReadError("A ratio needs one distance from its mean, at most 10 deviations.")
    if not amounts:
        notes.append("No distance was given, so it acts at 2 standard deviations from the mean.")
    period = default_period(periods, 60, notes)
    return Pairs(named[0], named[1], checked_period(period), amounts[0] if amounts else 2.0)


def _take_turns(text: Text) -> list[str]:
    """Use up verbs and directions that were checked already; return percentages left over."""
    text.take_all(
        r"\b(?:buy|sell|long|exit|enter|close|hold|above|over|below|under|high|low|rises?|falls?|"
        r"drops?|up|down|higher|lower|than)s?\b|[<>]"
    )
    return [m[0] for m in re.finditer(rf"{NUMBER} ?%", text.left)]


_TURN = r"(?P<verb>\b(?:buy|sell|long)\b)|(?P<up>\b(?:above|over|high|rises?|up|expensive)\b|>)"
_TURNS = _TURN + r"|(?P<down>\b(?:below|under|low|falls?|drops?|down|cheap)\b|<)"


def _refuse_reversed(text: str, symbols: Symbols, first: str) -> None:
    """Refuse a text that would buy what is dear: only the way back to the mean is known here."""
    chunk: dict[str, str] = {}
    for match in re.finditer(rf"{_TURNS}|(?P<symbol>{symbols.pattern})", text):
        kind = "turn" if match.lastgroup in {"up", "down"} else str(match.lastgroup)
        if kind in chunk:
            _check_chunk(chunk, symbols, first)
            chunk = {}
        chunk[kind] = str(match.lastgroup) if kind == "turn" else match[0]
    _check_chunk(chunk, symbols, first)


def _check_chunk(chunk: dict[str, str], symbols: Symbols, first: str) -> None:
    if "verb" not in chunk or "turn" not in chunk:
        return
    of_first = "symbol" not in chunk or symbols.meant(chunk["symbol"]) == first
    cheap = (chunk["turn"] == "down") is of_first
    if cheap is (chunk["verb"] == "sell"):
        raise CannotReadError("I can buy the cheap side of a ratio, not the dear one.")
