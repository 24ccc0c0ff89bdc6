"""What a bot is said to do: read from a JSON block beside the code, or from the words of the request.

A claim that is not made is None or empty, and is not checked.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arena.core.text import clean_line
from arena.llm.template.intents import Dca, Grid, Hold, Pairs, Rebalance, Request, Size
from arena.llm.template.parse import parse
from arena.llm.template.rules import (
    Average,
    Band,
    Change,
    Compare,
    Entered,
    Extreme,
    Macd,
    Operand,
    Price,
    PriceLevel,
    Rsi,
    StrategyRules,
    ZScore,
    operands,
    terms,
)
from arena.llm.template.text import CannotReadError

Side = Literal["BUY", "SELL"]
Symbol = Annotated[str, Field(min_length=1, max_length=64)]
_BLOCK = re.compile(
    r"^(?P<fence>`{3,}|~{3,})[ \t]*(?:json|claims)[^\n]*\n(?P<body>.*?)^(?P=fence)",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
_BOTH: tuple[Side, ...] = ("BUY", "SELL")


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Amount(_Part):
    """How much: units of the symbol, money, or a share (0 to 1) of the cash or of the equity."""

    kind: Literal["units", "money", "cash_share", "equity_share"]
    value: Annotated[float, Field(gt=0, allow_inf_nan=False)]

    def words(self) -> str:
        """Return the amount in words."""
        if self.kind == "units":
            return f"{self.value:.10g} units"
        if self.kind == "money":
            return f"${self.value:,.10g}"
        return f"{self.value * 100:.6g}% of the {'cash' if self.kind == 'cash_share' else 'equity'}"


class Indicator(_Part):
    """One indicator with its look-backs in ticks, the shortest first where there are several."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    periods: Annotated[tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...], Field(max_length=8)] = ()


class Claims(_Part):
    """What a bot says that it does."""

    symbols: Annotated[tuple[Symbol, ...], Field(max_length=100)] = ()
    sides: Annotated[tuple[Side, ...], Field(max_length=2)] = ()
    indicators: Annotated[tuple[Indicator, ...], Field(max_length=12)] = ()
    order_size: Amount | None = None
    largest_position: Amount | None = None
    stop_loss: Annotated[float, Field(gt=0, lt=1)] | None = None
    take_profit: Annotated[float, Field(gt=0)] | None = None
    cooldown_ticks: Annotated[int, Field(ge=0)] | None = None
    trades_per_1000_ticks: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    warm_up_ticks: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    price_levels: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(max_length=50)] = ()

    @property
    def made(self) -> bool:
        """Say whether anything is claimed."""
        return bool(self.model_dump(exclude_defaults=True))


def claims_schema() -> dict[str, Any]:
    """Return the JSON schema of claims, as it is published."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Claims of an Arena bot",
        **Claims.model_json_schema(),
    }


def read_claims(value: object) -> tuple[Claims, list[str]]:
    """Return claims from a JSON value, and a sentence on each part that cannot be used."""
    if not isinstance(value, dict):
        return Claims(), ["The claims are not a JSON object."]
    kept = {key: each for key, each in value.items() if key in Claims.model_fields and each is not None}
    said: list[str] = []
    while True:
        try:
            return Claims.model_validate(kept), said
        except ValidationError as error:
            for fault in error.errors():
                key = str(fault["loc"][0])
                if kept.pop(key, None) is not None:
                    where = ".".join(str(part) for part in fault["loc"])
                    said.append(clean_line(f"The claim {where} cannot be used: {fault['msg']}.", 200))


def claims_of_answer(answer: str) -> tuple[Claims, list[str]]:
    """Return the claims that a model's answer gives beside the code: the last JSON block that is of their form."""
    for block in reversed(list(_BLOCK.finditer(answer))):
        try:
            value = json.loads(block["body"])
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and isinstance(value.get("claims"), dict):
            value = value["claims"]
        if isinstance(value, dict) and value.keys() & Claims.model_fields.keys():
            return read_claims(value)
    return Claims(), []


def claims_of_source(source: str) -> tuple[Claims, list[str]]:
    """Return the claims that a file makes itself: a literal dict named CLAIMS at its top level."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Claims(), []
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "CLAIMS" for t in node.targets):
            try:
                return read_claims(ast.literal_eval(node.value))
            except (ValueError, TypeError, RecursionError, MemoryError):
                return Claims(), ["CLAIMS is no literal dict."]
    return Claims(), []


# -- from words -----------------------------------------------------------------------------------------


def claims_of_words(words: str, symbols: Sequence[str], interval: float = 1.0) -> Claims:
    """Return what the words of a request say, where the template's reader understands all of them; else nothing.

    What the reader fills in without being told, such as a size, is no claim.
    """
    if not words.strip() or not symbols:
        return Claims()
    try:
        found = parse(words, symbols, interval)
    except (CannotReadError, ValueError, RecursionError):
        return Claims()
    size = None if any("No size" in note for note in found.notes) else _amount(found.size)
    named = not any("No symbol" in note for note in found.notes)
    if isinstance(found, StrategyRules):
        return _of_rules(found, size, named=named)
    return _of_plan(found, size, named=named)


def _amount(size: Size) -> Amount:
    kind: Literal["units", "money", "cash_share"] = "cash_share" if size.kind == "cash" else size.kind
    return Amount(kind=kind, value=size.value)


def _of_rules(rules: StrategyRules, size: Amount | None, *, named: bool) -> Claims:
    conditions = [rules.buy, *(sale.when for sale in rules.sales)]
    single = [term for condition in conditions for term in terms(condition)]
    entered = {term.kind: term.share for term in single if isinstance(term, Entered)}
    looked = [each for condition in conditions for each in operands(condition)]
    scale = 1 if rules.bar is None else 0
    indicators = tuple(dict.fromkeys(found for each in looked if (found := _indicator(each)) is not None))
    levels = {
        other.value
        for term in single
        if isinstance(term, Compare)
        for one, other in ((term.left, term.right), (term.right, term.left))
        if isinstance(one, Price) and isinstance(other, PriceLevel) and other.value > 0
    }
    return Claims(
        symbols=rules.symbols if named else (), sides=_BOTH if rules.sales else ("BUY",),
        # Look-backs of bars are no ticks.
        indicators=indicators if scale else (), order_size=size,
        stop_loss=entered.get("loss"), take_profit=entered.get("gain"), price_levels=tuple(sorted(levels)),
    )  # fmt: skip


def _indicator(operand: Operand) -> Indicator | None:
    match operand:
        case Average(kind=kind, period=period):
            return Indicator(name=kind, periods=(period,))
        case Rsi(period=period):
            return Indicator(name="rsi", periods=(period,))
        case Macd(fast=fast, slow=slow, signal=signal):
            return Indicator(name="macd", periods=(fast, slow, signal))
        case Band(period=period):
            return Indicator(name="bollinger", periods=(period,))
        case Extreme(high=high, period=period):
            return Indicator(name="highest" if high else "lowest", periods=(period,))
        case Change(period=period):
            return Indicator(name="change", periods=(period,))
        case ZScore(period=period):
            return Indicator(name="zscore", periods=(period,))
        case _:
            return None


def _of_plan(request: Request, size: Amount | None, *, named: bool) -> Claims:
    match request.intent:
        case Hold(weights=weights):
            return Claims(symbols=tuple(s for s, _ in weights) if named else (), sides=("BUY",))
        case Rebalance(weights=weights):
            return Claims(symbols=tuple(symbol for symbol, _ in weights))
        case Pairs(first=first, second=second):
            return Claims(symbols=(first, second), sides=_BOTH, order_size=size)
        case Dca():
            return Claims(symbols=(request.symbol,) if named else (), sides=("BUY",), order_size=size)
        case Grid():
            return Claims(symbols=(request.symbol,) if named else (), sides=_BOTH)


# -- one against the other --------------------------------------------------------------------------------


def contradictions(said: Claims, claimed: Claims) -> list[tuple[str, str]]:
    """Return what claims say otherwise than the words of the request: the claim's name and a sentence each."""
    found: list[tuple[str, str]] = []
    if said.symbols and claimed.symbols and set(said.symbols) != set(claimed.symbols):
        found.append(("symbols", f"the request names {_list(said.symbols)}, the claims {_list(claimed.symbols)}"))
    if said.sides and claimed.sides and set(said.sides) != set(claimed.sides):
        found.append(("sides", f"the request asks for {_list(said.sides)}, the claims say {_list(claimed.sides)}"))
    for name in ("order_size", "largest_position"):
        one, other = getattr(said, name), getattr(claimed, name)
        if one is not None and other is not None and one.kind == other.kind and not _near(one.value, other.value):
            what = "an order" if name == "order_size" else "the largest position"
            found.append((name, f"the request makes {what} {one.words()}, the claims {other.words()}"))
    for name, what in (("stop_loss", "the stop"), ("take_profit", "the take profit")):
        one, other = getattr(said, name), getattr(claimed, name)
        if one is not None and other is not None and not _near(one, other):
            found.append((name, f"the request puts {what} at {one * 100:.6g}%, the claims at {other * 100:.6g}%"))
    known = {each.name.lower(): each.periods for each in claimed.indicators}
    for each in said.indicators:
        periods = known.get(each.name)
        same_kind = [other.periods for other in said.indicators if other.name == each.name]
        if periods and len(same_kind) == 1 and not set(each.periods) <= set(periods):
            found.append(("indicators", f"the request asks for {_words(each)}, the claims for {each.name} "
                          f"{', '.join(map(str, periods))}"))  # fmt: skip
    return found


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-6 * max(abs(one), abs(other))


def _list(items: Sequence[str]) -> str:
    return " and ".join(items)


def _words(indicator: Indicator) -> str:
    return f"{indicator.name} {', '.join(map(str, indicator.periods))}"


def merged(said: Claims, claimed: Claims) -> Claims:
    """Return what is to be checked: the words where they say something, else the claims."""
    return Claims(**{**dict(claimed), **{name: value for name, value in said if value not in (None, ())}})
