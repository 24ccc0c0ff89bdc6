"""From a description to a request: finds the strategy, reads it, and refuses what is left over.

The order matters: what cannot be mistaken is read first (the boilerplate of prompts, exits, how
long a tick is), then the strategy with its numbers, and last come the words that nobody used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from arena.llm.template import read_averages, read_levels, read_plans, read_reversion
from arena.llm.template.clauses import take_words
from arena.llm.template.intents import Exits, Intent, Rebalance, Request, Size
from arena.llm.template.quantities import DURATION, take_exits, take_size, take_tick_length
from arena.llm.template.reading import Notes
from arena.llm.template.symbols import Symbols
from arena.llm.template.text import LONGEST, NUMBER, CannotReadError, Text
from arena.llm.template.vocabulary import BOILERPLATE, FILLER, SELL_ALL

# Each strategy by the words that mean it, most telling first.
_FAMILIES = {
    "macd": r"\bmacd\b",
    "rsi": r"\brsi\b|\brelative strength index\b",
    "bollinger": r"\bbollinger\b|\bbbands?\b",
    "pairs": r"\bratio\b|\bspread\b|\barbitrage\b|\bstat arb\b|\bpairs?[- ]trad\w+",
    "rebalance": r"\brebalanc\w+",
    "grid": r"\bgrid\b",
    "dca": r"\bdca\b|\bdollar[- ]cost[- ]averag\w+|\b(?:buy|buys|invest|purchase|accumulate)\b[^;]*"
    r"\b(?:(?:every|each|once (?:a|an|per|every)) (?:[0-9]+ ?-?)?(?:tick|second|minute|hour|"
    r"day|week"
    r"|s\b|m\b|min|h\b)|hourly|daily|weekly)|\b(?:every|each) (?:[0-9]+ ?)?(?:tick|second|minute|"
    r"hour|day|week|min|s\b)s?,? (?:please )?(?:buy|invest|purchase)",
    "hold": r"\bbuy(?:ing)?[ -]?(?:and|&|n|then)[ -]?hold|\bhodl\w*|\bhold (?:it |them )?forever"
    r"|\b(?:never|not|n't) sell\b|\bbuy\b[^.;]*\band (?:then )?(?:just )?hold\b(?! while| when)"
    rf"|\b(?:split|put|allocate|invest)\b[^.;]*(?:{NUMBER} ?%|equally|evenly|{NUMBER} ?/ "
    rf"?{NUMBER})",
    "breakout": r"\bdonchian\b|\bturtle\b|\bbreak-?outs?\b|\bprice channel\b|\b(?:highest|"
    r"lowest|new|"
    r"recent|previous|prior) (?:[0-9]+[ -]\w+[ -])?(?:highs?|lows?|prices?)\b|(?:tick|period|bar|"
    r"minute|hour|candle|second|day)s?[ -](?:high|low|maximum|minimum)s?\b|\b(?:high|low|maximum|"
    r"minimum|max|min)s? (?:of|over|from|in) the\b",
    "reversion": r"\bmean[- ]?rever\w+|\bz[- ]?scores?\b|\bstandard deviations?\b|\bstd(?:ev)?s?\b"
    r"|\bsigmas?\b|\brever(?:t|sion)\w*",
    "cross": r"\bemas?\b|\bsmas?\b|\bma\b|\bmoving averages?\b|\b(?:golden|death) cross|\baverage\b"
    r"|\bexponential\b|\bmean\b",
    "momentum": r"\bmomentum\b|\brate of change\b|\broc\b|\bdips?\b",
}
# A strategy may use the words of these others to describe itself.
_ABSORBS = {
    "macd": {"cross", "momentum"},
    "rsi": {"reversion", "momentum"},
    "bollinger": {"reversion", "cross", "breakout"},
    "pairs": {"reversion", "cross"},
    "rebalance": {"hold", "dca"},
    "grid": {"dca"},
    "dca": {"hold", "cross"},
    "breakout": {"momentum"},
    "reversion": {"cross"},
    "cross": {"momentum"},
    "hold": set[str](),
    "momentum": set[str](),
}
_SIGNALS: dict[str, Callable[[Text, float, Notes], Intent]] = {
    "macd": read_averages.read_macd,
    "cross": read_averages.read_cross,
    "rsi": read_levels.read_rsi,
    "breakout": read_levels.read_breakout,
    "momentum": read_levels.read_momentum,
    "levels": read_levels.read_levels,
    "bollinger": read_reversion.read_bollinger,
    "reversion": read_reversion.read_reversion,
    "dca": read_plans.read_dca,
}
_DEFAULT_SIZES = {
    "hold": Size("cash", 1.0),
    "dca": Size("money", 50.0),
    "pairs": Size("cash", 0.5),
    "grid": Size("cash", 1.0),
}


_OWN_WORDS = (
    r"\b(?:between|among|vs|versus|against|apart|spacing|spaced|steps?|portfolio|weights?|last|past|"
    r"previous|highest|lowest|new|recent|fast|slow|faster|slower|channel|drift\w*|stop|loss|"
    r"profit|trailing|cash|balance|money|dollars|usd|every|simple|exponential|deviations?)\b"
)
_MOVING = r"\b(?:up|rises?|rose|rising|gains?|gained|down|falls?|fell|falling|drops?|dropped)\b"
_BUYING = r"\b(?:buy|buys|buying|long|enters?|purchases?)\b"
_SELLING = r"\b(?:sell|sells|selling|exits?|closes?|liquidate|flat|get out)\b"


def parse(prompt: str, market: Sequence[str], interval: float = 1.0) -> Request:
    """Return what the description asks for, or raise CannotReadError."""
    if len(prompt) > LONGEST:
        raise CannotReadError(f"It is longer than {LONGEST} characters.")
    text = Text(prompt)
    if not re.search(r"\w", text.left):
        raise CannotReadError("The description is empty.")
    symbols = Symbols(market)
    symbols.refuse_strangers(text)
    for phrase in BOILERPLATE:
        text.take_all(phrase)
    notes = Notes()
    length = take_tick_length(text)
    if length is not None:
        notes.append(f"One tick is taken as {length:g} seconds.")
    try:
        exits = take_exits(text)
        family = _family(text)
        return _read(family, text, symbols, exits=exits, tick=length or interval, notes=notes)
    except CannotReadError as error:
        words = dict.fromkeys([*error.unused, *_strange(text, symbols)])
        raise CannotReadError(error.reason, *words) from error


def _strange(text: Text, symbols: Symbols) -> list[str]:
    """Return the words that are none of ours, for a description that failed early."""
    symbols.take_from(text)
    take_words(text)
    for pattern in (*_FAMILIES.values(), _OWN_WORDS):
        text.take_all(pattern)
    return list(dict.fromkeys(w for w in text.words() if w not in FILLER and w[0].isalpha()))


def _family(text: Text) -> str:
    found = [name for name, pattern in _FAMILIES.items() if text.has(pattern)]
    absorbed = {other for name in found for other in _ABSORBS[name]}
    left = [name for name in found if name not in absorbed]
    if len(left) > 1:
        words = [m[0] for name in left if (m := re.search(_FAMILIES[name], text.left))]
        raise CannotReadError("It asks for more than one strategy, and a bot follows one.", *words)
    if left:
        return left[0]
    if not text.has(_BUYING):
        raise CannotReadError("")
    if text.has(rf"{NUMBER} ?%(?! (?:of )?(?:my |the |available )*(?:cash|balance|capital|equity))"):
        return "momentum"
    if text.has(_MOVING) and text.has(DURATION):
        return "momentum"
    if text.has(rf"(?:above|below|under|over|at|to|than|<|>|reaches|hits) ?\$? ?{NUMBER}(?! ?%)"):
        return "levels"
    raise CannotReadError("")


def _read(family: str, text: Text, symbols: Symbols, *, exits: Exits, tick: float, notes: Notes) -> Request:
    text.take_all(SELL_ALL)
    intent: Intent | None = None
    if family == "rebalance":
        intent = read_plans.read_rebalance(text, tick, symbols, notes)
    elif family == "grid":
        intent = read_plans.read_grid(text, tick, notes)
    size, named = _size(family, text, symbols)
    # A named strategy ("EMA crossover, 2% stop") brings its own sales; "buy when ..., 2% stop" has
    # said how it wants to sell.
    sells = not exits or text.has(_SELLING) or not text.has(_BUYING)
    if family == "hold":
        intent = read_plans.read_hold(text, symbols, named, notes)
        named = list(dict.fromkeys([*named, *(symbol for symbol, _ in intent.weights)]))
    elif family == "pairs":
        intent = read_plans.read_pairs(text, tick, symbols, notes)
    else:
        named = list(dict.fromkeys([*named, *symbols.take_from(text)]))
    if intent is None:
        intent = _SIGNALS[family](text, tick, notes)
    _refuse_leftovers(text)
    _refuse_misfits(family, intent, size, exits, named)
    return Request(
        intent=intent,
        symbol=_symbol(family, named, symbols, notes),
        size=size or _default_size(family, notes),
        exits=exits,
        sells=sells,
        notes=tuple(notes),
    )


def _size(family: str, text: Text, symbols: Symbols) -> tuple[Size | None, list[str]]:
    weight = rf"{NUMBER} ?% ?(?:in |of |into |to |on )?{symbols.pattern}|{NUMBER} ?[/:-] ?{NUMBER}"
    if family == "hold" and text.has(weight):
        return None, []
    return take_size(text, symbols)


def _default_size(family: str, notes: Notes) -> Size:
    size = _DEFAULT_SIZES.get(family, Size("cash", 0.1))
    if family not in {"hold", "rebalance"}:
        amount = f"${size.value:g}" if size.kind == "money" else f"{size.value:.0%} of its cash"
        notes.append(f"No size was given, so it uses {amount}.")
    return size


def _symbol(family: str, named: list[str], symbols: Symbols, notes: Notes) -> str:
    if not named and family not in {"hold", "rebalance", "pairs"}:
        notes.append(f"No symbol was named, so it is {symbols.default}.")
    return named[0] if named else symbols.default


def _refuse_leftovers(text: Text) -> None:
    unused = [word for word in text.words() if word not in FILLER]
    if any(word.startswith("short") for word in unused):
        raise CannotReadError("The arena has no short selling.", *dict.fromkeys(unused))
    if unused:
        raise CannotReadError("", *dict.fromkeys(unused))


def _refuse_misfits(family: str, intent: Intent, size: Size | None, exits: Exits, named: list[str]) -> None:
    many = isinstance(intent, Rebalance) or family == "pairs"
    if len(named) > 1 and not many and family != "hold":
        raise CannotReadError(
            f"It names {' and '.join(named)}, and this strategy trades one symbol: ask for one bot each.",
            *named,
        )
    single = family not in {"rebalance", "pairs", "dca", "grid"} and len(named) <= 1
    if exits and not single:
        raise CannotReadError("A stop or a target needs a strategy that holds one symbol.", "stop")
    if size is not None and (isinstance(intent, Rebalance) or (family == "hold" and len(named) > 1)):
        raise CannotReadError("Weights say how much to buy, so there can be no size besides.")
