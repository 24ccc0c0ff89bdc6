"""Turns rules into the source of a bot, by the templates in `bots/`."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from arena.llm.template.intents import Size
from arena.llm.template.rules import (
    EVENTS,
    AtStart,
    AtTime,
    Average,
    Band,
    Change,
    Compare,
    Condition,
    Entered,
    Extreme,
    InHours,
    Joined,
    Macd,
    OnDays,
    Operand,
    Price,
    PriceLevel,
    Rsi,
    StrategyRules,
    Turn,
    ZScore,
    operands,
    terms,
)

# An all-in order fills at the next tick's price; what is kept back pays for a rise until then.
MOST_OF_CASH = 0.99
_TESTS = {
    "above": "{a} > {b}",
    "below": "{a} < {b}",
    "at_or_above": "{a} >= {b}",
    "at_or_below": "{a} <= {b}",
    "crosses_above": "{c} <= {d} and {a} > {b}",
    "crosses_below": "{c} >= {d} and {a} < {b}",
    "rises_to": "{c} < {d} and {a} >= {b}",
    "falls_to": "{c} > {d} and {a} <= {b}",
}


@dataclass(frozen=True, slots=True)
class WrittenBot:
    """A bot's source, its name, what it does in sentences, and its kind."""

    source: str
    name: str
    said: list[str]
    strategy: str


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "bots"),
        undefined=StrictUndefined,
        autoescape=select_autoescape([]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(template: str, **values: Any) -> str:
    """Return a bot's source from one of the templates."""
    return _environment().get_template(f"{template}.py.jinja").render(values)


def literal(value: float) -> str:
    """Return a number as Python source, whole numbers without a point."""
    whole = isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15)
    return str(int(value)) if whole else repr(float(value))


def size_words(size: Size, symbol: str) -> str:
    """Return a size in words."""
    if size.kind == "units":
        return f"{size.value:.10g} {symbol}"
    if size.kind == "money":
        return f"{size.value:.10g} dollars' worth of {symbol}"
    if size.value >= MOST_OF_CASH:
        return f"{symbol} with all its cash"
    return f"{symbol} with {size.value * 100:.6g}% of its cash"


def amount_of(size: Size, symbols: int = 1) -> tuple[tuple[str, str, str], str, str]:
    """Return the constant of a size, the amount it buys as source, and the test that the cash is short."""
    if size.kind == "units":
        return ("SIZE", literal(size.value), "bought each time"), "SIZE", "cash < size * price"
    if size.kind == "money":
        return ("DOLLARS", literal(size.value), "spent each time"), "DOLLARS / price", "cash < DOLLARS"
    share, why = size.value, "of the cash, spent each time"
    if share >= MOST_OF_CASH:
        share, why = MOST_OF_CASH / symbols, "not quite all: the price may rise before the fill"
    return ("CASH_SHARE", literal(round(share, 6)), why), "cash * CASH_SHARE / price", "size <= 0"


class _Measures:
    """Gives every operand a name, and collects the code that keeps it up to date."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.constants: list[tuple[str, str, str]] = []
        self.state: dict[str, str] = {"seen": "0"}
        self.lines: list[str] = []
        self.names: list[str] = ["price"]
        self.helpers: set[str] = set()
        self.imports: set[str] = set()
        self.ratio: tuple[str, str] | None = None
        self._known: dict[Operand, str] = {}

    def value(self, operand: Operand, values: str) -> str:
        """Return an operand as source, read from the values of a tick."""
        if isinstance(operand, Price):
            return f'{values}["price"]'
        if isinstance(operand, PriceLevel):
            return literal(operand.value)
        if isinstance(operand, Average) and operand.offset:
            base = self.value(Average(operand.kind, operand.period), values)
            return f"{base} * {literal(round(1 + operand.offset, 12))}"
        return f'{values}["{self._name(operand)}"]'

    def _name(self, operand: Operand) -> str:
        if operand not in self._known:
            self._known[operand] = self._add(operand)
        return self._known[operand]

    def _constant(self, name: str, value: float, why: str) -> str:
        """Return a constant's name, with a number where the name is taken by another value."""
        taken = {n: v for n, v, _ in self.constants}
        chosen, count = name, 2
        while chosen in taken and taken[chosen] != literal(value):
            chosen, count = f"{name}_{count}", count + 1
        if chosen not in taken:
            self.constants.append((chosen, literal(value), why))
        return chosen

    def _history(self, name: str, length: str) -> str:
        self.imports.add("from collections import deque")
        self.state.setdefault(name, f"deque(maxlen={length})")
        line = f'memory["{name}"].append(price)'
        if line not in self.lines:
            self.lines.append(line)
        return f'memory["{name}"]'

    def _add(self, operand: Operand) -> str:
        match operand:
            case Average(kind="ema", period=period):
                name, constant = f"ema_{period}", self._constant("EMA_PERIOD", period, f"{self.unit}s of the EMA")
                self._ema(name, "price", constant)
                self.lines.append(f'values["{name}"] = memory["{name}"] if memory["seen"] >= {constant} else None')
            case Average(period=period):
                name, constant = f"sma_{period}", self._constant("SMA_PERIOD", period, f"{self.unit}s of the SMA")
                self.imports.add("from statistics import fmean")
                prices = self._history(f"prices_{period}", constant)
                self.lines.append(f'values["{name}"] = fmean({prices}) if len({prices}) >= {constant} else None')
            case Rsi(period=period):
                name, constant = f"rsi_{period}", self._constant("RSI_PERIOD", period, f"{self.unit}s of the RSI")
                self.helpers.add("rsi")
                self.state[name] = "(None, 0, 0.0, 0.0)"
                self.lines.append(f'values["{name}"] = next_rsi(memory, "{name}", price, {constant})')
            case Macd():
                name = self._macd(operand)
            case Band():
                name = self._band(operand)
            case Extreme():
                name = self._extreme(operand)
            case Change(period=period):
                name = f"change_{period}"
                constant = self._constant("CHANGE_PERIOD", period, f"{self.unit}s over which the price moves")
                past = self._history(f"past_{period}", f"{constant} + 1")
                self.lines.append(f'values["{name}"] = price / {past}[0] - 1 if len({past}) > {constant} else None')
            case ZScore():
                name = self._score(operand)
            case _:
                raise AssertionError(operand)
        self.names.append(name)
        return name

    def _ema(self, name: str, source: str, constant: str) -> None:
        self.helpers.add("follow")
        self.state[name] = "None"
        self.lines.append(f'memory["{name}"] = follow(memory["{name}"], {source}, {constant})')

    def _macd(self, operand: Macd) -> str:
        stem = f"{operand.fast}_{operand.slow}_{operand.signal}"
        line, signal = f"macd_{stem}", f"signal_{stem}"
        if f"fast_{stem}" not in self.state:
            fast = self._constant("FAST", operand.fast, f"{self.unit}s of the fast average")
            slow = self._constant("SLOW", operand.slow, f"{self.unit}s of the slow average")
            smooth = self._constant("SMOOTH", operand.signal, f"{self.unit}s of the signal line")
            self._ema(f"fast_{stem}", "price", fast)
            self._ema(f"slow_{stem}", "price", slow)
            self._ema(f"smooth_{stem}", f'memory["fast_{stem}"] - memory["slow_{stem}"]', smooth)
            ready = f'memory["seen"] >= {slow} + {smooth}'
            gap = f'memory["fast_{stem}"] - memory["slow_{stem}"]'
            self.lines.append(f'values["{line}"] = {gap} if {ready} else None')
            self.lines.append(f'values["{signal}"] = memory["smooth_{stem}"] if {ready} else None')
        return signal if operand.signal_line else line

    def _band(self, operand: Band) -> str:
        period = operand.period
        constant = self._constant("BAND_PERIOD", period, f"{self.unit}s of the bands")
        self.imports |= {"from statistics import fmean, pstdev"}
        prices = self._history(f"band_{period}", constant)
        which = "upper" if operand.width > 0 else "lower" if operand.width < 0 else "middle"
        name = f"{which}_{period}"
        value = f"fmean({prices})"
        if operand.width:
            width = self._constant("WIDTH", abs(operand.width), "standard deviations from the mean to a band")
            value += f" {'+' if operand.width > 0 else '-'} {width} * pstdev({prices})"
        self.lines.append(f'values["{name}"] = {value} if len({prices}) >= {constant} else None')
        return name

    def _extreme(self, operand: Extreme) -> str:
        function, name = ("max", "HIGH") if operand.high else ("min", "LOW")
        value = f"{name.lower()}_{operand.period}"
        constant = self._constant(f"{name}_PERIOD", operand.period, f"{self.unit}s before this one")
        self.imports.add("from collections import deque")
        self.state[f"for_{value}"] = f"deque(maxlen={constant})"
        kept = f'memory["for_{value}"]'
        self.lines.append(f'values["{value}"] = {function}({kept}) if len({kept}) >= {constant} else None')
        self.lines.append(f"{kept}.append(price)")
        return value

    def _score(self, operand: ZScore) -> str:
        name = f"score_{operand.period}"
        constant = self._constant("SCORE_PERIOD", operand.period, f"{self.unit}s of the mean and its deviation")
        self.imports |= {"from collections import deque", "from statistics import fmean, pstdev"}
        self.state[name] = f"deque(maxlen={constant})"
        kept = f'memory["{name}"]'
        if operand.first:
            self.ratio = (operand.first, operand.second)
        self.lines.append(f"{kept}.append({'ratio' if operand.first else 'price'})")
        self.lines.append(f"deviation = pstdev({kept})")
        self.lines.append(f"enough = len({kept}) >= {constant} and deviation > 0")
        self.lines.append(f'values["{name}"] = ({kept}[-1] - fmean({kept})) / deviation if enough else None')
        return name

    # -- conditions ---------------------------------------------------------------------------------------

    def test(self, condition: Condition) -> str:
        """Return a condition as source."""
        match condition:
            case Joined(parts=parts, every=every):
                return (" and " if every else " or ").join(f"({self.test(part)})" for part in parts)
            case Compare():
                return self._compared(condition)
            case Turn(operand=operand, up=up, event=event):
                return self._turning(operand, up=up, event=event)
            case AtTime(minute=minute):
                day = f"({{}} - {minute * 60}) // 86400"
                return f"last_time is not None and {day.format('time')} > {day.format('last_time')}"
            case InHours(start=start, end=end):
                now = "int(time // 60) % 1440"
                return f"{start} <= {now} < {end}" if start <= end else f"{now} >= {start} or {now} < {end}"
            case OnDays(days=days):
                return f"(int(time // 86400) + 3) % 7 in {days!r}"
            case AtStart():
                return 'not memory["bought"]'
            case Entered(kind=kind, share=share):
                return self._entered(kind, share)

    def _compared(self, condition: Compare) -> str:
        a, b = (self.value(side, "now") for side in (condition.left, condition.right))
        c, d = (self.value(side, "before") for side in (condition.left, condition.right))
        needed = [v.split(" * ")[0] for v in (a, b) if v.startswith("now")]
        if condition.relation in EVENTS:
            needed += [v.split(" * ")[0] for v in (c, d) if v.startswith("before")]
        needed = [v for v in dict.fromkeys(needed) if v != 'now["price"]']
        test = _TESTS[condition.relation].format(a=a, b=b, c=c, d=d)
        return f"known({', '.join(needed)}) and {test}" if needed else test

    def _turning(self, operand: Operand, *, up: bool, event: bool) -> str:
        a, b = self.value(operand, "now"), self.value(operand, "before")
        sign = ">" if up else "<"
        if not event:
            return f"known({a}, {b}) and {a} {sign} {b}"
        name = self._name(operand)
        if f"{name}_step" not in self.names:
            self._add_step(name)
        now, before = f'now["{name}_step"]', f'before["{name}_step"]'
        return f"known({now}, {before}) and {before} {'<=' if up else '>='} 0 and {now} {sign} 0"

    def _add_step(self, name: str) -> None:
        self.lines.append(
            f'values["{name}_step"] = values["{name}"] - memory["{name}_last"] '
            f'if known(values["{name}"], memory["{name}_last"]) else None'
        )
        self.lines.append(f'memory["{name}_last"] = values["{name}"]')
        self.state[f"{name}_last"] = "None"
        self.names.append(f"{name}_step")

    @staticmethod
    def _entered(kind: str, share: float) -> str:
        if kind == "gain":
            return f'price >= memory["entry"] * (1 + {literal(share)})'
        start = "entry" if kind == "loss" else "best"
        return f'price <= memory["{start}"] * (1 - {literal(share)})'


def write_rules(rules: StrategyRules, delay: int = 1) -> WrittenBot:
    """Return the bot that follows the rules; its orders fill `delay` ticks later."""
    unit = "bar" if rules.bar else "tick"
    measures = _Measures(unit)
    strategy, label = kind_of(rules)
    name = f"{label} {rules.symbols[0] if len(rules.symbols) == 1 else 'all'}"[:80]
    buy_words = _words(rules.buy, unit)
    constant, amount, short = amount_of(rules.size, len(rules.symbols))
    buy_test = measures.test(rules.buy)
    sales = [
        {
            "test": _guarded(measures.test(sale.when), sale.when, sale.share),
            "share": literal(sale.share),
            "reason": _words(sale.when, unit),
        }
        for sale in sorted(rules.sales, key=lambda s: not isinstance(s.when, Entered))
    ]
    if rules.bar:
        measures.constants.append(("BAR_SECONDS", literal(rules.bar), "a signal counts when its bar has closed"))
    said = describe(rules, unit)
    ratio = measures.ratio
    condition_arguments = "memory, now, before, time, last_time"
    source = render(
        "rules", delay=delay, said=said, name=name, strategy=strategy.replace("_", " "),
        imports=_merged(measures.imports), symbols=", ".join(f'"{s}"' for s in rules.symbols),
        constants=[*measures.constants, constant], state=[f'"{k}": {v}' for k, v in measures.state.items()],
        bars=rules.bar is not None, helpers=measures.helpers, measures=measures.lines,
        measure_arguments="memory, price, ratio" if ratio else "memory, price",
        measure_call=("memory, close" if rules.bar else "memory, price")
        + (f', ctx.get_price("{ratio[0]}") / ctx.get_price("{ratio[1]}")' if ratio else ""),
        second_missing="".join(f' or ctx.get_price("{s}") is None' for s in ratio or () if s not in rules.symbols),
        condition_arguments=condition_arguments,
        condition_call=condition_arguments, buy_words=buy_words, buy_test=buy_test, buy_reason=buy_words, sales=sales,
        amount=amount, short_test=short, empty="{" + ", ".join(f'"{n}": None' for n in measures.names) + "}",
    )  # fmt: skip
    return WrittenBot(source, name, said, strategy)


def _guarded(test: str, condition: Condition, share: float) -> str:
    parts = [] if isinstance(condition, Entered) else ["closed"]
    parts += ['not memory["part_sold"]'] if share != 1 else []
    return " and ".join([*parts, f"({test})"])


def _merged(imports: set[str]) -> list[str]:
    if "from statistics import fmean, pstdev" in imports:
        imports = imports - {"from statistics import fmean"}
    return sorted(imports)


def _words(condition: Condition, unit: str) -> str:
    return condition.words().replace("@", unit)


def describe(rules: StrategyRules, unit: str) -> list[str]:
    """Return what a bot does, in sentences."""
    symbols = ", ".join(rules.symbols[:5]) + (" and others" if len(rules.symbols) > 5 else "")
    said = [f"Buys {size_words(rules.size, symbols)} when {_words(rules.buy, unit)}."]
    for sale in rules.sales:
        what = "the whole position" if sale.share == 1 else f"{sale.share * 100:.4g}% of the position, once,"
        said.append(f"Sells {what} when {_words(sale.when, unit)}.")
    if rules.bar:
        said.append(f"Its bars are {rules.bar:g} seconds long.")
    return said


def kind_of(rules: StrategyRules) -> tuple[str, str]:
    """Return the name of a strategy's kind, and the words that a bot's name begins with."""
    first = terms(rules.buy)[0]
    if len(terms(rules.buy)) > 1:
        return "rules", "Rules"
    if isinstance(first, AtStart):
        return "buy_and_hold", "Buy and Hold"
    if isinstance(first, AtTime | InHours | OnDays):
        return "clock", "Clock"
    if isinstance(first, Turn):
        return "slope", "Slope"
    assert isinstance(first, Compare)
    contrary = first.relation in {"crosses_below", "below", "at_or_below"}
    left, right = first.left, first.right
    found = operands(rules.buy)
    if isinstance(left, Average) and isinstance(right, Average):
        periods = sorted((left.period, right.period))
        return f"{left.kind}_crossover", f"{left.kind.upper()} {periods[0]}/{periods[1]} crossover"
    if isinstance(left, Price) and isinstance(right, Average) and right.offset:
        return "mean_reversion", f"Reversion {right.period}"
    for operand in found:
        match operand:
            case Average(kind=kind, period=period):
                return f"{kind}_cross", f"{kind.upper()} {period} {'fade' if contrary else 'cross'}"
            case Rsi(period=period):
                return "rsi", f"RSI {period}"
            case Macd(fast=fast, slow=slow, signal=signal):
                return "macd", f"MACD {fast},{slow},{signal}"
            case Band(period=period, width=width):
                return "bollinger", f"Bollinger {period} x {abs(width):g}"
            case Extreme(period=period):
                return "breakout", f"Breakout {period}"
            case ZScore(period=period):
                return "mean_reversion", f"Reversion {period}"
            case Change(period=period):
                return ("dip_buying" if contrary else "momentum"), f"{'Dip' if contrary else 'Momentum'} {period}"
            case _:
                continue
    return "price_levels", f"Levels {right.words()}"
