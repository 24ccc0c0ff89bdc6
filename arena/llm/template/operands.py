"""The things that conditions look at, with the numbers that belong to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from arena.llm.template.lexer import SECONDS, Chunk
from arena.llm.template.rules import (
    Average,
    Band,
    Change,
    Compare,
    Condition,
    Extreme,
    Macd,
    Operand,
    Price,
    PriceLevel,
    Rsi,
    ZScore,
)
from arena.llm.template.text import CannotReadError

LONGEST_PERIOD = 10_000
OPERANDS = frozenset({
    "price", "average", "pair", "rsi", "macd", "histogram", "signal", "band", "extreme", "score", "zero", "number",
})  # fmt: skip
_DEFAULTS = {"average": 20, "rsi": 14, "bollinger": 20, "extreme": 20, "score": 50, "change": 20}
_NAMES = {"average": "average", "rsi": "RSI", "bollinger": "Bollinger bands", "extreme": "high and low",
          "score": "z-score", "change": "change"}  # fmt: skip
_COUNTED = ("ticks", "tick", "period", "bar", "candle", "step", "sample", "point", "price")


def _is_free(window: Chunk, chunks: Sequence[Chunk]) -> bool:
    """Say whether a span of time may be an indicator's look-back: not where it is that of a change."""
    place = next(n for n, c in enumerate(chunks) if c is window)
    before = [c.kind for c in chunks[:place] if c.kind in {*OPERANDS, "move", "turn", "bollinger", "breakout"}]
    after = [c.kind for c in chunks[place + 1 :] if c.kind not in {"price", "it", "symbol", "stop"}]
    return before[-1:] not in (["move"], ["macd"], ["turn"]) and after[:1] not in (["move"], ["turn"])


class Operands:
    """Makes operands of chunks; remembers what "it" is, and which numbers have not been used yet."""

    def __init__(self, chunks: Sequence[Chunk], step: float, notes: list[str]) -> None:
        self._step = step
        self._notes = notes
        self._has = {c.kind for c in chunks}
        self._taken: list[Chunk] = []
        self._periods = [c for c in chunks if c.kind == "period"]
        self._period_used = False
        self.subject: Operand = Price()
        self.reference: Operand | None = None
        self.window: int | None = None
        self.histogram = False
        # Crosses of a number that are said without a direction: the number and the words.
        self.undirected: list[tuple[Operand, float, str]] = []
        self._averages = [c for c in chunks if c.kind == "average"]
        self._macds = [c for c in chunks if c.kind == "macd"]
        self._bollingers = [c for c in chunks if c.kind == "bollinger"]
        self._rsis = [c for c in chunks if c.kind == "rsi" and c["n"]]
        self._refuse_two_sets(chunks)
        self._ratio = next((c for c in chunks if c.kind == "ratio"), None)
        self._widths = [c for c in chunks if c.kind == "deviations" and c["up"] is None and self._banded()]
        self._levels = [c for c in chunks if c.kind == "levels"] if "rsi" in self._has else []
        self._windows = [c for c in chunks if c.kind == "window"]
        self._levels_used = not self._levels
        self._free = not self._windows or _is_free(self._windows[0], chunks)
        self._used: list[Chunk] = []
        self._taken += [*self._widths, *self._levels]
        if self._ratio is not None:
            self._taken.append(self._ratio)

    @staticmethod
    def _refuse_two_sets(chunks: Sequence[Chunk]) -> None:
        """Refuse two MACDs or Bollinger bands with different look-backs: a bot follows one of each."""
        for kind, name, numbers in (("macd", "MACDs", "abc"), ("bollinger", "Bollinger bands", "n")):
            numbered = [c for c in chunks if c.kind == kind and c[numbers[0]]]
            if len({tuple(c[number] for number in numbers) for c in numbered}) > 1:
                raise CannotReadError(f"It names two {name} with different look-backs.", *(c.text for c in numbered))

    def took(self, chunk: Chunk) -> bool:
        """Tell whether a chunk belongs to an indicator and not to a condition of its own."""
        return any(chunk is taken for taken in self._taken)

    def _banded(self) -> bool:
        return bool(self._has & {"bollinger", "band"})

    # -- numbers ------------------------------------------------------------------------------------------

    def steps(self, n: float, unit: str | None, least: int = 2) -> int:
        """Return a look-back in ticks or bars, refusing one that no bot can keep."""
        clock = unit and not unit.strip().startswith(_COUNTED)
        count = n * SECONDS[unit.strip()[0]] / self._step if clock and unit else n
        if count < 1 or abs(count - round(count)) > 1e-9:
            raise CannotReadError(f"{n:g} {unit or ''} is not a whole number of ticks above zero.".replace("  ", " "))
        if not least <= count <= LONGEST_PERIOD:
            raise CannotReadError(
                f"A look-back must be between {least} and {LONGEST_PERIOD} ticks, and this one is {count:.0f}; "
                "use longer bars, such as '5 minute bars'.",
                f"{n:g}",
            )
        return round(count)

    def period(self, kind: str, n: float | None = None, unit: str | None = None) -> int:
        """Return an indicator's look-back: its own, the one named apart, or the usual one with a note."""
        least = 1 if kind in {"change", "extreme"} else 2
        if n is not None:
            return self.steps(n, unit, least)
        apart = {(c["n"], c["unit"]) for c in self._periods}
        if len(apart) > 1:
            raise CannotReadError("It names more look-backs than it has use for.", *(c.text for c in self._periods))
        if apart:
            self._period_used = True
            found, its_unit = apart.pop()
            if kind == "rsi" and not re.search("period|length|look|window", self._periods[0].text):
                self._refuse_chart(found, its_unit, self._periods[0].text)
            return self.steps(found, its_unit, least)
        if kind != "change" and self._windows and self._free:
            self.use(self._windows[0])
            return self.steps(self._windows[0]["n"], self._windows[0]["unit"], least)
        default = _DEFAULTS[kind]
        self._notes.append(f"No look-back was given for the {_NAMES[kind]}, so it is {default}.")
        return default

    def use(self, window: Chunk) -> None:
        """Count a span of time as used, and all others of the same length with it."""
        self._used += [c for c in self._windows if (c["n"], c["unit"]) == (window["n"], window["unit"])]

    def refuse_unused(self) -> None:
        """Refuse look-backs, spans and pairs of levels that no indicator had use for."""
        left = [c.text for c in self._windows if not any(c is used for used in self._used)]
        if left:
            raise CannotReadError("", *left)
        if self._periods and not self._period_used:
            raise CannotReadError("", *(c.text for c in self._periods))
        if not self._levels_used:
            raise CannotReadError("", *(c.text for c in self._levels))

    def learn(self, setup: Sequence[Chunk]) -> None:
        """Take what is said before any condition as what the conditions speak of."""
        for chunk in setup:
            if chunk.kind in {"rsi", "score", "macd"}:
                self.subject = self.operand(chunk)
                if chunk.kind == "macd":
                    self.reference = self.signal_line()
            elif chunk.kind == "average":
                self.reference = self.operand(chunk)
            elif chunk.kind == "pair":
                self.subject, self.reference = self.pair(chunk)
            elif chunk.kind == "window":
                self.window = self.steps(chunk["n"], chunk["unit"], 1)
            elif chunk.kind == "momentum" and chunk["n"]:
                self.window = self.steps(chunk["n"], None, 1)
        named = [c for c in setup if c.kind == "average"]
        if len(named) == 2:
            self.subject, self.reference = self.operand(named[0]), self.operand(named[1])

    # -- operands -----------------------------------------------------------------------------------------

    def operand(self, chunk: Chunk) -> Operand:
        """Return what a chunk stands for."""
        match chunk.kind:
            case "average":
                return self.average(chunk)
            case "rsi":
                return self.rsi(chunk)
            case "macd":
                return self.macd()
            case "signal":
                return self.signal_line()
            case "band":
                return self.band(chunk["which"])
            case "extreme":
                return Extreme(chunk["high"], self.period("extreme", chunk["n"], chunk["unit"]))
            case "score":
                return self.score()
            case "zero":
                return PriceLevel(0.0)
            case "number":
                return PriceLevel(chunk["n"])
            case "price":
                return Price()
        raise CannotReadError("", chunk.text)

    def average(self, chunk: Chunk) -> Average:
        """Return a moving average; one without a number is the one that has been named."""
        kind: Literal["ema", "sma"] = chunk["type"]
        n, unit = chunk["n"], chunk["unit"]
        if n is None:
            numbered = [c for c in self._averages if c["n"] and (c["type"] == kind or chunk["vague"])]
            distinct = {(c["n"], c["unit"], c["type"]) for c in numbered}
            if len(distinct) == 1:
                n, unit, kind = distinct.pop()
            elif len(distinct) > 1:
                raise CannotReadError("It does not say which of the averages is meant.", chunk.text)
            elif isinstance(self.reference, Average) and (chunk["vague"] or self.reference.kind == kind):
                return self.reference
        return Average(kind, self.period("average", n, unit))

    def pair(self, chunk: Chunk) -> tuple[Average, Average]:
        """Return the fast and the slow average of a pair such as "10/30"."""
        a, b = sorted((self.steps(chunk["a"], chunk["unit"]), self.steps(chunk["b"], chunk["unit"])))
        if a == b:
            raise CannotReadError("A crossover needs two different look-backs.", chunk.text)
        return Average(chunk["type"], a), Average(chunk["type"], b)

    def rsi(self, chunk: Chunk | None = None) -> Rsi:
        """Return the RSI; one without a number is the one that has been named with its own."""
        own = chunk if chunk is not None and chunk["n"] else None
        numbered = {(c["n"], c["unit"]): c for c in self._rsis}
        if own is None and len(numbered) > 1:
            raise CannotReadError("It does not say which of the RSIs is meant.", *(c.text for c in numbered.values()))
        given = own or next(iter(numbered.values()), None)
        if given is None:
            return Rsi(self.period("rsi"))
        n, unit = given["n"], given["unit"]
        self._refuse_chart(n, unit, given.text)
        return Rsi(self.period("rsi", n))

    def _refuse_chart(self, n: float, unit: str | None, words: str) -> None:
        """Refuse "the 5m RSI": the RSI of a 5-minute chart, or one that looks back 5 minutes."""
        if unit and not unit.startswith(_COUNTED) and (SECONDS[unit[0]] != self._step or self._step >= SECONDS["m"]):
            raise CannotReadError(
                f"It does not say whether '{n:g} {unit}' is the RSI's look-back or the length of its bars: "
                "write 'RSI(14) on 5 minute bars', or its look-back in ticks.",
                words,
            )

    def macd(self) -> Macd:
        """Return the MACD line."""
        given = next((c for c in self._macds if c["a"]), None)
        if given is None or not given["a"]:
            self._notes.append("No look-backs were given, so the MACD uses 12, 26 and 9.")
            return Macd(12, 26, 9)
        fast, slow, signal = (self.steps(given[k], None) for k in "abc")
        if fast >= slow:
            raise CannotReadError("The first look-back of a MACD must be shorter than the second.", given.text)
        return Macd(fast, slow, signal)

    def signal_line(self) -> Macd:
        """Return the MACD's signal line."""
        line = self.macd()
        return Macd(line.fast, line.slow, line.signal, signal_line=True)

    def band(self, which: int) -> Band:
        """Return a Bollinger band: upper 1, middle 0, lower -1."""
        given = next((c for c in self._bollingers if c["n"]), None)
        widths = {c["n"] for c in self._widths} | {c["width"] for c in self._bollingers if c["width"]}
        if len(widths) > 1 or not all(0 < width <= 10 for width in widths):
            raise CannotReadError("Bollinger bands need one width, above 0 and at most 10 deviations.")
        if not widths:
            self._notes.append("No width was given, so the bands are 2 standard deviations wide.")
        width = widths.pop() if widths else 2.0
        return Band(self.period("bollinger", given["n"] if given else None), which * width)

    def score(self) -> ZScore:
        """Return the z-score of the price, or of the ratio that is named."""
        vague = [c for c in self._averages if c["n"]]
        n, unit = (vague[0]["n"], vague[0]["unit"]) if vague else (None, None)
        first, second = (self._ratio["first"], self._ratio["second"]) if self._ratio is not None else ("", "")
        return ZScore(self.period("score", n, unit), first, second)

    def change(self, window: int | None) -> Change:
        """Return the change over a window; a question where none is named."""
        if window is None and self.window is not None:
            window = self.window
            for chunk in self._windows:
                if self.steps(chunk["n"], chunk["unit"], 1) == window:
                    self.use(chunk)
        if window is None and self._periods:
            window = self.period("change")
        if window is None:
            raise CannotReadError("It does not say over how many ticks the price must move.")
        self.window = window
        return Change(window)

    @property
    def levels(self) -> tuple[float, float] | None:
        """Return a pair of levels such as "30/70"."""
        if not self._levels:
            return None
        if len(self._levels) > 1:
            raise CannotReadError("It names two pairs of levels.", *(c.text for c in self._levels))
        self._levels_used = True
        return self._levels[0]["a"], self._levels[0]["b"]

    def zone(self, *, high: bool) -> PriceLevel:
        """Return the level of overbought or oversold."""
        low_high = self.levels or (30.0, 70.0)
        if not 0 < low_high[0] < low_high[1] < 100:
            raise CannotReadError("RSI levels lie between 0 and 100, the lower one first.", self._levels[0].text)
        return PriceLevel(low_high[1] if high else low_high[0])

    # -- strategies that are only named -------------------------------------------------------------------

    def named_strategy(self, chunks: Sequence[Chunk]) -> tuple[Condition, Condition] | None:
        """Return both sides of a strategy without any condition of its own, or None."""
        left = {c.kind for c in chunks} - {"crossing", "cross", "golden", "versus", "window", "and", "at", "stop"}
        averages = [c for c in chunks if c.kind == "average"]
        pairs = [c for c in chunks if c.kind == "pair" or (c.kind == "golden" and c["a"])]
        numbers = [c["n"] for c in chunks if c.kind == "number"]
        if left <= {"average", "pair"} and (averages or pairs or "golden" in {c.kind for c in chunks}):
            return self._named_cross(averages, pairs)
        if left <= {"rsi", "reversion", "zone"} | ({"number"} if len(numbers) == 2 else set()) and "rsi" in left:
            return self._named_rsi(numbers)
        if left <= {"macd", "signal"} and "macd" in left:
            line, signal = self.macd(), self.signal_line()
            return Compare(line, "crosses_above", signal), Compare(line, "crosses_below", signal)
        if left <= {"bollinger", "reversion", "breakout"} and "bollinger" in left:
            if "breakout" in left:
                return Compare(Price(), "above", self.band(1)), Compare(Price(), "below", self.band(0))
            return Compare(Price(), "below", self.band(-1)), Compare(Price(), "above", self.band(1))
        if left <= {"breakout"} and left:
            given = next((c for c in chunks if c.kind == "breakout" and c["n"]), None)
            n = self.period("extreme", given["n"] if given else None, given["unit"] if given else None)
            return Compare(Price(), "above", Extreme(True, n)), Compare(Price(), "below", Extreme(False, n))
        if left <= {"score", "reversion", "deviations", "number", "average"} and left & {"score", "reversion"}:
            return self._named_reversion(chunks, numbers)
        if left == {"momentum"}:
            given = next(c for c in chunks if c.kind == "momentum")
            windows = [c for c in chunks if c.kind == "window"]
            n = self.steps(windows[0]["n"], windows[0]["unit"], 1) if windows else self.period("change", given["n"])
            for window in windows[:1]:
                self.use(window)
            return Compare(Change(n), "above", PriceLevel(0.0)), Compare(Change(n), "below", PriceLevel(0.0))
        return None

    def _named_cross(self, averages: list[Chunk], pairs: list[Chunk]) -> tuple[Condition, Condition]:
        if len(averages) + 2 * len(pairs) > 2:
            raise CannotReadError(
                "I can cross the price with one average or two averages, not more.", averages[-1].text
            )
        left: Operand = Price()
        if pairs:
            left, right = self.pair(pairs[0])
        elif len(averages) == 2:
            left, right = self.crossing_pair(self.average(averages[0]), self.average(averages[1]))
        elif averages:
            right = self.average(averages[0])
        else:
            self._notes.append("No look-backs were given, so it crosses the 50 and the 200 SMA.")
            left, right = Average("sma", 50), Average("sma", 200)
        return Compare(left, "crosses_above", right), Compare(left, "crosses_below", right)

    @staticmethod
    def crossing_pair(a: Average, b: Average) -> tuple[Average, Average]:
        """Return two averages, the fast one first."""
        if a.period == b.period and a.kind == b.kind:
            raise CannotReadError("A crossover needs two different look-backs.")
        return (a, b) if a.period < b.period else (b, a)

    def _named_rsi(self, numbers: list[float]) -> tuple[Condition, Condition]:
        if numbers:
            low, high = sorted(numbers)
        elif self.levels:
            low, high = self.levels
        else:
            low, high = 30.0, 70.0
            self._notes.append("No levels were given, so they are 30 and 70.")
        if not 0 < low < high < 100:
            raise CannotReadError("RSI levels lie between 0 and 100, the lower one first.", f"{low:g}/{high:g}")
        rsi = self.rsi()
        return Compare(rsi, "below", PriceLevel(low)), Compare(rsi, "above", PriceLevel(high))

    def _named_reversion(self, chunks: Sequence[Chunk], numbers: list[float]) -> tuple[Condition, Condition]:
        stds = [c["n"] for c in chunks if c.kind == "deviations"] + [abs(n) for n in numbers]
        if len(set(stds)) > 1 or not all(0 < n <= 10 for n in stds):
            raise CannotReadError("A return to the mean needs one distance, above 0 and at most 10 deviations.")
        if not stds:
            self._notes.append("No distance was given, so it buys 2 standard deviations below the mean.")
        entry = stds[0] if stds else 2.0
        score = self.score()
        return Compare(score, "at_or_below", PriceLevel(-entry)), Compare(score, "at_or_above", PriceLevel(0.0))
