"""From a description to rules or a plan: chooses the reader, and refuses what is left over."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from arena.llm.template import read_plans
from arena.llm.template.grammar import read_rules
from arena.llm.template.intents import Hold, Intent, Rebalance, Request, Size
from arena.llm.template.lexer import lex
from arena.llm.template.quantities import take_size
from arena.llm.template.reading import Notes
from arena.llm.template.rules import StrategyRules
from arena.llm.template.spelling import mended
from arena.llm.template.symbols import Symbols
from arena.llm.template.text import LONGEST, NUMBER, CannotReadError, Text
from arena.llm.template.vocabulary import BOILERPLATE, FILLER, SELL_ALL

# Each plan by the words that mean it, most telling first.
_PLANS = {
    "rebalance": r"\brebalanc\w+",
    "grid": r"\bgrid\b",
    "pairs": r"\bratio\b|\bspread\b|\barbitrage\b|\bstat arb\b|\bpairs?[- ]trad\w+",
    "dca": r"\bdca\b|\bdollar[- ]cost[- ]averag\w+|\b(?:buy|buys|invest|purchase|accumulate)\b[^;]*"
    r"\b(?:(?:every|each|once (?:a|an|per|every)) (?:[0-9]+ ?-?)?(?:tick|second|minute|hour|day|week"
    r"|s\b|m\b|min|h\b)|hourly|daily|weekly)|\b(?:every|each) (?:[0-9]+ ?)?(?:tick|second|minute|"
    r"hour|day|week|min|s\b)s?,? (?:please )?(?:buy|invest|purchase)",
    "hold": r"\bbuy(?:ing)?[ -]?(?:and|&|n|then)[ -]?hold|\bhodl\w*|\bhold (?:it |them )?forever"
    r"|\b(?:never|not|n't) sell\b|\bbuy\b[^.;]*\band (?:then )?(?:just )?hold\b(?! while| when)"
    rf"|\b(?:split|put|allocate|invest)\b[^.;]*(?:(?:in|into|on) [^.;]*{NUMBER} ?%|{NUMBER} ?% (?:in|into|on|of) "
    rf"(?!my|the|cash)|equally|evenly|{NUMBER} ?/ ?{NUMBER})",
}
# A plan follows the calendar or weights; beside one of these it is not all that is said.
_SIGNAL = (
    r"\b(?:emas?|smas?|rsi|macd|bollinger|moving average|donchian|breakout|cross(?:es|over)?|overbought|oversold|"
    r"vwap|volume|above|below|when|whenever|if|am|pm)\b"
)
_TURNED = r"\b(?:don'?t|do not|unless|without|except|opposite|inverse|inverted|reverse|instead|avoid|until)\b"
_DEFAULT_SIZES = {
    "hold": Size("cash", 1.0), "dca": Size("money", 50.0), "pairs": Size("cash", 0.5), "grid": Size("cash", 1.0),
}  # fmt: skip
_EVERY = r"\b(?:both|all|every|each)(?: of)?(?: the)?(?: coins?| symbols?| assets?| markets?| tokens?| cryptos?)\b"
# Other wordings of what the rules say in one way.
_SAME = (
    (r"\b(?:else|otherwise) if\b|\belif\b", "if"),
    (r"^\W*by (?=when|if|once)", "buy "),
    (r"\beither (?=.*\bor\b)", ""),
    (rf"\bat (\$? ?{NUMBER}) or (?:lower|less|below|under)\b", r"at or below \1"),
    (rf"\bat (\$? ?{NUMBER}) or (?:higher|more|above|over)\b", r"at or above \1"),
    (rf"\b(?:is )?(?:higher|more|greater|above) than (?:it was )?({NUMBER} \w+) ago\b", r"rises over the last \1"),
    (rf"\b(?:is )?(?:lower|less|below) than (?:it was )?({NUMBER} \w+) ago\b", r"falls over the last \1"),
)
_SINGLE_HOLD = r"\bbuy(?:ing)?[ -]?(?:and|&|n|then)[ -]?hold(?:ing)?\b|\bhodl\w*"


def parse(prompt: str, market: Sequence[str], interval: float = 1.0) -> StrategyRules | Request:
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
    plan = _plan_of(text, symbols)
    if plan is not None:
        return _read_plan(plan, text, symbols, interval)
    return _read_signal(text.left, symbols, interval)


def _read_signal(text: str, symbols: Symbols, interval: float) -> StrategyRules:
    # What was taken out as boilerplate is no gap in a phrase.
    text = re.sub(r"\x00+", " ", text)
    text = re.sub(r"(?<=\w)\s*/\s*(?=exit|sell)", " / ", text)
    for pattern, plain in _SAME:
        text = re.sub(pattern, plain, text)
    text = re.sub(r"\bbuy(?:ing)? (?:the |on )?dips?\b(?= ?[:;,.-])", " ", text)
    text, held = re.subn(_SINGLE_HOLD, "buy now", text)
    chunks = lex(text, symbols)
    unknown = [c.text for c in chunks if c.kind == "unknown"]
    notes: list[str] = []
    if unknown:
        text, notes = mended(text, unknown)
        chunks = lex(text, symbols) if notes else chunks
    rules = read_rules(chunks, symbols, interval, all_in=held > 0)
    return replace(rules, notes=(*notes, *rules.notes))


def _plan_of(text: Text, symbols: Symbols) -> str | None:
    """Return which plan the words name, None where they tell of signals."""
    found = [name for name, pattern in _PLANS.items() if text.has(pattern)]
    if not found:
        return None
    plan = found[0]
    if plan == "pairs":
        return "pairs" if _trades_both(text, symbols) else None
    if plan == "hold" and _has_exits(text) and not text.has(rf"{_EVERY}|{NUMBER} ?/|\bequal|\bevenly"):
        return None
    if plan in {"dca", "hold", "grid"} and text.has(_SIGNAL) and not (plan == "hold" and text.has(r"\bstop|\bprofit")):
        words = [m[0] for p in (_PLANS[plan], _SIGNAL) if (m := re.search(p, text.left))]
        raise CannotReadError("It asks for more than one strategy, and a bot follows one.", *words)
    turned = re.search(_TURNED, re.sub(r"\b(?:don'?t|do not|never) sell\b", "", text.left))
    if turned:
        raise CannotReadError("I do not follow a plan that is turned round by a word like this one.", turned[0])
    return plan


def _trades_both(text: Text, symbols: Symbols) -> bool:
    """Tell whether a ratio's plan trades both its symbols: one purchase and one sale of one symbol is a rule."""
    buys = re.findall(r"\bbuys?\b", text.left)
    named = re.findall(rf"\bbuys? (?:the )?({symbols.pattern})", text.left)
    return not (len(buys) == 1 and len(named) == 1 and text.has(r"\b(?:sell|exit)s?\b"))


def _has_exits(text: Text) -> bool:
    return text.has(r"\b(?:stop|trailing|profit|target|tp|sl)\b")


def _read_plan(plan: str, text: Text, symbols: Symbols, interval: float) -> Request:
    notes = Notes()
    if plan != "hold":
        text.take_all(SELL_ALL)
    intent: Intent | None = None
    if plan == "rebalance":
        intent = read_plans.read_rebalance(text, interval, symbols, notes)
    elif plan == "grid":
        intent = read_plans.read_grid(text, interval, notes)
    weighted = rf"{NUMBER} ?% ?(?:in |of |into |to |on )?{symbols.pattern}|{NUMBER} ?[/:-] ?{NUMBER}"
    size, named = (None, []) if plan == "hold" and text.has(weighted) else take_size(text, symbols)
    if plan == "hold":
        intent = _hold(text, symbols, named, notes)
        named = list(dict.fromkeys([*named, *(symbol for symbol, _ in intent.weights)]))
    elif plan == "pairs":
        intent = read_plans.read_pairs(text, interval, symbols, notes)
    else:
        named = list(dict.fromkeys([*named, *symbols.take_from(text)]))
    if intent is None:
        intent = read_plans.read_dca(text, interval, notes)
    _refuse_leftovers(text)
    if len(named) > 1 and plan in {"dca", "grid"}:
        raise CannotReadError(
            f"It names {' and '.join(named)}, and this strategy trades one symbol: ask for one bot each.", *named
        )
    if size is not None and (isinstance(intent, Rebalance) or (isinstance(intent, Hold) and len(named) > 1)):
        raise CannotReadError("Weights say how much to buy, so there can be no size besides.")
    if not named and plan in {"dca", "grid"}:
        notes.append(f"No symbol was named, so it is {symbols.default}.")
    return Request(
        intent=intent, symbol=named[0] if named else symbols.default, size=size or _default_size(plan, notes),
        notes=tuple(notes),
    )  # fmt: skip


def _hold(text: Text, symbols: Symbols, named: list[str], notes: Notes) -> Hold:
    every = text.take(_EVERY)
    if every is None:
        return read_plans.read_hold(text, symbols, named, notes)
    text.take_all(r"\b(?:equally|evenly|equal(?: parts?| amounts?| weights?)?|in equal parts)\b")
    chosen = list(dict.fromkeys([*named, *symbols.take_from(text)])) or list(symbols.market)
    if "both" in every[0] and len(chosen) != 2:
        raise CannotReadError("This market has more than two symbols: name the two.", every[0])
    if named:
        raise CannotReadError("Weights say how much to buy, so there can be no size besides.")
    read_plans.read_hold(text, symbols, named, Notes())
    notes.append("It buys each in equal parts.")
    return Hold(tuple((symbol, round(1 / len(chosen), 6)) for symbol in chosen))


def _default_size(plan: str, notes: Notes) -> Size:
    size = _DEFAULT_SIZES.get(plan, Size("cash", 0.1))
    if plan not in {"hold", "rebalance"}:
        amount = f"${size.value:g}" if size.kind == "money" else f"{size.value:.0%} of its cash"
        notes.append(f"No size was given, so it uses {amount}.")
    return size


def _refuse_leftovers(text: Text) -> None:
    unused = [word for word in text.words() if word not in FILLER]
    if any(word.startswith("short") for word in unused):
        raise CannotReadError("The arena has no short selling.", *dict.fromkeys(unused))
    if unused:
        raise CannotReadError("", *dict.fromkeys(unused))
