"""The rule-based writer: from plain words to a bot file, or to a sentence that says why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arena.llm.template.intents import Dca, Grid, Hold, Pairs, Rebalance, Request
from arena.llm.template.parse import parse
from arena.llm.template.skeleton import describe, signal_source
from arena.llm.template.source_plans import Plan, dca, hold, rebalance
from arena.llm.template.source_signals import SIGNALS
from arena.llm.template.source_spreads import grid, pairs
from arena.llm.template.text import CannotReadError

KNOWN = (
    "moving-average crosses (SMA, EMA), RSI, MACD, Bollinger bands, breakouts, mean reversion, "
    "ETH/BTC-style ratios, momentum and dips, fixed price levels, grids, regular buying (DCA), "
    "buy and hold, and rebalancing"
)
_NAMED_AT_MOST = 12


@dataclass(frozen=True, slots=True)
class Purse:
    """What a bot starts with and what things cost now, so that a size can be checked before it is built."""

    cash: float
    prices: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Written:
    """A complete bot, what it does in a few sentences, and the strategy it follows."""

    source: str
    summary: str
    strategy: str


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """Why no bot was written, and the words that could not be used."""

    reason: str
    unused: tuple[str, ...]


def write_bot(
    prompt: str, symbols: Sequence[str], interval: float = 1.0, purse: Purse | None = None
) -> Written | NotUnderstood:
    """Write a bot for the market's symbols from a description; the same words give the same bot.

    `interval` is the seconds between two ticks, where the words do not say otherwise.
    """
    try:
        request = parse(prompt, symbols, interval)
    except CannotReadError as error:
        return NotUnderstood(_reason(error), _shown(error.unused))
    plan = _plan(request)
    if plan is not None:
        return Written(plan.source, _summary([plan.said], request), plan.strategy)
    signal = SIGNALS[type(request.intent)](request.intent)
    said = describe(signal, request)
    return Written(signal_source(signal, request), _summary(said, request), signal.strategy)


def _plan(request: Request) -> Plan | None:
    match request.intent:
        case Dca() as intent:
            return dca(intent, request)
        case Grid() as intent:
            return grid(intent, request)
        case Pairs() as intent:
            return pairs(intent, request)
        case Rebalance() as intent:
            return rebalance(intent, request)
        case Hold() as intent if len(intent.weights) > 1 or intent.weights[0][1] < 1:
            return hold(intent, request)
        case _:
            return None


def _summary(said: list[str], request: Request) -> str:
    return " ".join([*said, *request.notes])


def _reason(error: CannotReadError) -> str:
    why = error.reason
    words = _shown(error.unused)
    if not why and words:
        why = f"I could not use these words: {', '.join(words)}."
    if not why:
        why = "It names no strategy that I know."
    elif error.reason and words:
        why = f"{why} The words in question: {', '.join(words)}."
    return f"{why} The rule-based writer knows {KNOWN}."


def _shown(words: Sequence[str]) -> tuple[str, ...]:
    cut = [word.replace("\x00", " ").strip()[:40] for word in words[:_NAMED_AT_MOST]]
    return tuple(word for word in cut if word)
