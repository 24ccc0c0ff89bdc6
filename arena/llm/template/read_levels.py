"""Reading levels and movements: RSI, channels, momentum, fixed prices."""

from __future__ import annotations

import re

from arena.llm.template.clauses import Clause, take_clauses
from arena.llm.template.intents import Breakout, Levels, Momentum, Rsi
from arena.llm.template.quantities import checked_period, fraction, number, take_periods
from arena.llm.template.reading import OPPOSITE, Notes, contrary, default_period
from arena.llm.template.text import NUMBER, CannotReadError, Text


def read_rsi(text: Text, tick: float, notes: Notes) -> Rsi:
    """Read the relative strength index with its period and two levels."""
    triple = text.take(rf"\brsi ?\( ?({NUMBER}) ?, ?({NUMBER}) ?, ?({NUMBER}) ?\)")
    pair = text.take(rf"({NUMBER}) ?[/-] ?({NUMBER})(?: (?:levels?|thresholds?))?") or text.take(
        rf"\b(?:levels?|thresholds?|limits?)(?: of| at| are| is| =|:)? ?({NUMBER})(?: and|,) "
        rf"({NUMBER})"
    )
    periods = [int(number(triple[1]))] if triple else take_periods(text, tick)
    text.take_all(r"\brsi\b|\brelative strength index\b")
    text.take_all(r"\bmean[- ]?rever\w+|\bmomentum\b")
    oversold = text.has(r"\boversold\b|\boverbought\b")
    clauses = take_clauses(text)
    clauses.refuse_extras("nums")
    levels = sorted(number(m) for m in (triple.groups()[1:] if triple else pair.groups() if pair else ()))
    levels = levels or sorted(clauses.general.nums)
    low, high = levels if len(levels) == 2 else (30.0, 70.0)
    upward = not contrary(clauses)
    asked = clauses.buy is not None and clauses.buy.up is True and not oversold
    buy = _one(clauses.buy, low if not asked else high)
    sell = _one(clauses.sell, high if not asked else low)
    if not (len(levels) == 2 or (clauses.buy and clauses.buy.nums)):
        notes.append(f"No levels were given, so it buys at {buy:g} and sells at {sell:g}.")
    if not (0 < buy < 100 and 0 < sell < 100) or (buy >= sell and not asked):
        raise CannotReadError("RSI levels must lie between 0 and 100, the lower one for buying.")
    return Rsi(default_period(periods, 14, notes), buy, sell, crossing=asked and upward)


def _one(clause: Clause | None, default: float) -> float:
    if clause is None or not clause.nums:
        return default
    if len(clause.nums) > 1:
        raise CannotReadError("", *clause.words["nums"])
    return clause.nums[0]


def read_breakout(text: Text, tick: float, notes: Notes) -> Breakout:
    """Read a channel of recent highs and lows."""
    whole = text.left
    periods = take_periods(text, tick)
    text.take_all(r"\b(?:donchian|turtle|price)(?: (?:price )?channels?)?\b|\bchannels?\b|\bbreak-?outs?\b")
    text.take_all(r"\b(?:highest|lowest|new|previous|recent|maximum|minimum|max|min|momentum|prior)\b")
    clauses = take_clauses(text)
    clauses.refuse_extras()
    if contrary(clauses):
        raise CannotReadError("I can buy above a recent high, not below a recent low.", "below")
    if len(periods) != 2:
        period = default_period(periods, 20, notes)
        return Breakout(period, period)
    entry, leave = (checked_period(period) for period in periods)
    sold, bought = re.search(r"\b(?:sell|exit)", whole), re.search(r"\b(?:buy|enter|long)", whole)
    if sold and bought and sold.start() < bought.start():
        entry, leave = leave, entry
    return Breakout(entry, leave)


def read_momentum(text: Text, tick: float, notes: Notes) -> Momentum:
    """Read a rise or a fall over a look-back."""
    periods = take_periods(text, tick, within=True)
    known = bool(text.take_all(r"\bmomentum\b|\brate of change\b|\broc\b"))
    if not periods and not known:
        raise CannotReadError(
            "It does not say over how many ticks the price must move; say, for example, 'over 20 ticks'."
        )
    text.take_all(r"\bafter\b(?= (?:an?|it|the price)\b)")
    if len(re.findall(r"\b(?:buy|enter|long)", text.left)) > 1:
        text.take(r"\bbuy(?:ing|s)? (?:the |on )?dips?\b")  # a title, not a second condition
    clauses = take_clauses(text)
    text.take_all(r"\bchange[sd]?\b|\bzero\b")
    clauses.refuse_extras("pcts", *(("nums",) if known else ()))
    sides = (clauses.general, clauses.buy, clauses.sell)
    if any(value for side in sides if side for value in side.nums):
        raise CannotReadError("", *(w for side in sides if side for w in side.words.get("nums", [])))
    against = contrary(clauses)
    shared = _percent(clauses.general, 0.0)
    buy = _percent(clauses.buy, shared)
    # A sale that only says "when it turns down" means any fall; one never named mirrors the entry.
    sell = _percent(clauses.sell, shared if clauses.sell else buy)
    return Momentum(default_period(list(dict.fromkeys(periods)), 20, notes, 1), buy, sell, against)


def _percent(clause: Clause | None, default: float) -> float:
    if clause is None or not clause.pcts:
        return default
    if len(clause.pcts) > 1:
        raise CannotReadError("", *clause.words["pcts"])
    value = abs(clause.pcts[0])
    return fraction(value) if value else 0.0


def read_levels(text: Text, _tick: float, _notes: Notes) -> Levels:
    """Read two fixed prices."""
    clauses = take_clauses(text)
    clauses.refuse_extras("nums")
    if clauses.buy is None or len(clauses.buy.nums) != 1 or clauses.general.nums:
        raise CannotReadError("It does not say at which price to buy.")
    buy = clauses.buy.nums[0]
    sells = clauses.sell.nums if clauses.sell else []
    if len(sells) > 1 or buy <= 0 or (sells and sells[0] <= 0):
        raise CannotReadError("It needs one price above zero for buying and one for selling.")
    sell = sells[0] if sells else None
    undirected = clauses.buy.up is None and (clauses.sell is None or clauses.sell.up is None)
    against = not undirected and not contrary(clauses)
    if sell is not None and ((sell <= buy and not against) or (sell > buy and against)):
        raise CannotReadError(OPPOSITE)
    return Levels(buy, sell, against, inclusive=undirected)
