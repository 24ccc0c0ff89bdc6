"""The rule-based writer: from plain words to a bot file, or to a sentence that says why not."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from arena.llm.template.intents import Dca, Grid, Hold, Pairs, Rebalance, Request, Size
from arena.llm.template.languages import declined_in, language_of
from arena.llm.template.parse import parse
from arena.llm.template.render import size_words, write_rules
from arena.llm.template.rules import AtStart, Compare, Price, PriceLevel, StrategyRules, terms
from arena.llm.template.source_plans import Plan, dca, grid, hold, pairs, rebalance
from arena.llm.template.text import CannotReadError

KNOWN = (
    "moving-average crosses (SMA, EMA), RSI, MACD, Bollinger bands, breakouts, mean reversion, "
    "ETH/BTC-style ratios, momentum and dips, fixed price levels, grids, regular buying (DCA), "
    "buy and hold, and rebalancing"
)
# Sentences that are understood, of which the nearest is shown to who wrote another.
UNDERSTOOD = (
    "buy when the price crosses above its 20-tick EMA, sell when it crosses below, 0.01 BTC",
    "10/30 SMA crossover on ETH with 10% of cash",
    "buy when RSI(14) is below 30, sell when it is above 70",
    "buy when RSI is below 30 and the price is above the 200 SMA, sell when RSI is above 70",
    "MACD 12,26,9 with a 2% stop loss",
    "buy below the lower Bollinger band, sell above the upper band",
    "buy above the 20-tick high, sell below the 10-tick low",
    "buy when the price is 2 std below its 50-tick mean, sell at the mean",
    "buy when the price is 1% below its 50-tick average, sell at the average",
    "buy when the price rises 1% over 20 ticks, sell when it falls 1%",
    "buy when the price drops to 60000, sell when it rises to 70000",
    "buy BTC now with a 2% trailing stop",
    "buy at 9am, sell at 5pm",
    "RSI 30/70 between 9am and 5pm on weekdays",
    "grid with 10 levels 0.5% apart, $500 per level",
    "DCA $50 every 100 ticks into BTC",
    "buy and hold 60/40 BTC/ETH",
    "rebalance 50/50 BTC and ETH every hour",
    "trade the ETH/BTC ratio reversion over 100 ticks",
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
    prompt: str, symbols: Sequence[str], interval: float = 1.0, purse: Purse | None = None, delay_ticks: int = 1
) -> Written | NotUnderstood:
    """Write a bot for the market's symbols from a description; the same words give the same bot.

    `interval` is the seconds between two ticks, `purse` refuses sizes that could never be paid, and an
    order fills `delay_ticks` ticks later: until then the bot orders nothing more of what it has ordered.
    """
    try:
        found = parse(prompt, symbols, interval)
        if isinstance(found, StrategyRules):
            _refuse_unpaid(found.size, found.symbols, purse)
            _refuse_hours(found, purse)
            bot = write_rules(found, delay_ticks)
            return Written(bot.source, " ".join([*bot.said, *found.notes]), bot.strategy)
        _refuse_unpaid(found.size, (found.symbol,), purse)
    except CannotReadError as error:
        language = language_of(prompt)
        if language is not None:
            return NotUnderstood(declined_in(language), _shown(error.unused))
        return NotUnderstood(_reason(error, prompt), _shown(error.unused))
    plan = _plan(replace(found, delay=delay_ticks))
    if plan is None:
        assert isinstance(found.intent, Hold)
        rules = StrategyRules((found.intent.weights[0][0],), AtStart(), (), found.size, notes=found.notes)
        bot = write_rules(rules, delay_ticks)
        return Written(bot.source, " ".join([*bot.said, *found.notes]), bot.strategy)
    return Written(plan.source, " ".join([plan.said, *found.notes]), plan.strategy)


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


def _refuse_unpaid(size: Size, symbols: Sequence[str], purse: Purse | None) -> None:
    if purse is None or size.kind == "cash":
        return
    costs = [size.value * purse.prices.get(s, 0.0) if size.kind == "units" else size.value for s in symbols]
    dear = max(range(len(costs)), key=lambda n: costs[n])
    if costs[dear] > purse.cash:
        words = size_words(size, symbols[dear])
        costs_words = f"costs about ${costs[dear]:,.0f} now" if size.kind == "units" else "is more than there is"
        raise CannotReadError(
            f"{words} {costs_words}, and the bot starts with ${purse.cash:,.0f}, so it could never buy: "
            "say a smaller size."
        )


def _refuse_hours(found: StrategyRules, purse: Purse | None) -> None:
    """Refuse "buy at 9 and sell at 17" where these are no prices of the market, and may be hours."""
    price = purse.prices.get(found.symbols[0], 0.0) if purse is not None else 0.0
    for when in (found.buy, *(sale.when for sale in found.sales)):
        for each in terms(when):
            if not isinstance(each, Compare) or not isinstance(each.right, PriceLevel) or each.left != Price():
                continue
            level = each.right.value
            if each.relation.startswith("at_or_") and level <= 24 and level == int(level) and price > 100 * level:
                raise CannotReadError(
                    f"{found.symbols[0]} costs about ${price:,.0f} now, which is far from {level:g}: "
                    f"for a time of day write {level:.0f}:00.",
                    f"{level:g}",
                )


def _reason(error: CannotReadError, prompt: str) -> str:
    why = error.reason
    words = _shown(error.unused)
    if not why and words:
        why = f"I could not use these words: {', '.join(words)}."
    if not why:
        why = "It names no strategy that I know."
    elif error.reason and words:
        why = f"{why} The words in question: {', '.join(words)}."
    near = difflib.get_close_matches(prompt.lower()[:400], UNDERSTOOD, 1, 0.3)
    nearest = f" A sentence that is understood: '{near[0] if near else UNDERSTOOD[0]}'."
    return f"{why}{nearest} The rule-based writer knows {KNOWN}."


def _shown(words: Sequence[str]) -> tuple[str, ...]:
    cut = [word.replace("\x00", " ").strip()[:40] for word in words[:_NAMED_AT_MOST]]
    return tuple(word for word in cut if word)
