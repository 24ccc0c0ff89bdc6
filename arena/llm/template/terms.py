"""Reads one condition of a side: what is looked at, how it must stand, and to what."""

from __future__ import annotations

from arena.llm.template.lexer import Chunk
from arena.llm.template.operands import OPERANDS, Operands
from arena.llm.template.rules import (
    MIRRORED,
    AtTime,
    Average,
    Band,
    Change,
    Compare,
    Condition,
    Entered,
    Extreme,
    Joined,
    Macd,
    Operand,
    Price,
    PriceLevel,
    Relation,
    Rsi,
    Turn,
    ZScore,
)
from arena.llm.template.text import CannotReadError

# Kinds of chunk that make a condition; one alone says nothing about when.
TELLING = frozenset({
    "cross", "beyond", "target", "at", "turn", "zone", "move", "offset", "golden", "entered", "time", "deviations",
    "extreme", "from", "between",
})  # fmt: skip
_RELATIONS = frozenset({"cross", "beyond", "target", "at"})
_PRICES = Average | Band | Extreme
_EMPTY = frozenset({"when", "stop", "it", "now", "price", "reversion", "versus", "and", "or"})


def read_term(chunks: list[Chunk], operands: Operands, *, buying: bool) -> Condition | None:
    """Return the condition of one term, None where the chunks say nothing about when."""
    windows = [c for c in chunks if c.kind == "window"]
    window = operands.steps(windows[0]["n"], windows[0]["unit"], 1) if len(windows) == 1 else None
    if len(windows) > 1:
        raise CannotReadError("It names two spans of time in one condition.", *(c.text for c in windows))
    chunks = [
        c for c in chunks if c.kind not in {"when", "stop", "window", "versus", "reversion", "bollinger", "momentum"}
    ]
    term = _Term(chunks, operands, window, windows[0] if windows else None, buying=buying)
    return term.read()


class _Term:
    def __init__(
        self, chunks: list[Chunk], operands: Operands, window: int | None, span: Chunk | None, *, buying: bool
    ) -> None:
        self.chunks = chunks
        self.operands = operands
        self._window = window
        self._window_chunk = span
        self.buying = buying

    @property
    def window(self) -> int | None:
        """Return the span of time named in this term; from then on it counts as used."""
        if self._window_chunk is not None:
            self.operands.use(self._window_chunk)
        return self._window

    def _of(self, *kinds: str) -> list[Chunk]:
        return [c for c in self.chunks if c.kind in kinds]

    def _only(self, *kinds: str) -> None:
        """Refuse chunks of any other kind: nothing may be passed over."""
        extra = [c.text for c in self.chunks if c.kind not in {*kinds, *_EMPTY}]
        if extra:
            raise CannotReadError("", *extra)

    def read(self) -> Condition | None:
        kinds = {c.kind for c in self.chunks}
        if "time" in kinds:
            self._only("time", "at")
            return AtTime(self._of("time")[0]["minute"] % 1440)
        if "entered" in kinds:
            return self._entered()
        if "golden" in kinds:
            return self._golden()
        if "zone" in kinds:
            self._only("zone", "rsi")
            chunk = self._of("zone")[0]
            named = [*self._of("rsi"), None][0]
            return Compare(
                self.operands.rsi(named), "above" if chunk["up"] else "below", self.operands.zone(high=chunk["up"])
            )
        if "move" in kinds:
            return self._move()
        if "offset" in kinds:
            return self._offset()
        if "deviations" in kinds:
            return self._deviations()
        if "between" in kinds:
            return self._between()
        relations = self._of(*_RELATIONS)
        if len(relations) > 1:
            return self._two_relations(relations)
        if relations:
            return self._compared(relations[0])
        return self._without_relation(kinds)

    # -- the price against what was paid, or against its past --------------------------------------------

    def _entered(self) -> Condition:
        self._only("entered", "at", "beyond", "target", "turn")
        chunk = self._of("entered")[0]
        if self.buying:
            raise CannotReadError("It speaks of profit or loss where it says when to buy.", chunk.text)
        share = round(chunk["share"], 12)
        if not 0 < share < (10 if chunk["entered"] == "gain" else 1):
            raise CannotReadError(f"{share * 100:g}% is out of range here.", chunk.text)
        return Entered(chunk["entered"], share)

    def _move(self) -> Condition:
        self._only("move", "at")
        chunk = self._of("move")[0]
        share = round(chunk["share"], 12)
        if not 0 < share < 10:
            raise CannotReadError(f"{share * 100:g}% is out of range here.", chunk.text)
        from_entry = not self.buying and self._window is None and (chunk["state"] or self.operands.window is None)
        if from_entry:
            return Entered("gain" if chunk["up"] else "loss", share)
        change = self.operands.change(self.window)
        return Compare(
            change, "at_or_above" if chunk["up"] else "at_or_below", PriceLevel(share if chunk["up"] else -share)
        )

    def _offset(self) -> Condition:
        self._only("offset", "average", "at", "beyond")
        chunk = self._of("offset")[0]
        named = self._of("average")
        reference = self.operands.operand(named[0]) if named else self.operands.reference
        if not isinstance(reference, Average) or len(named) > 1:
            raise CannotReadError("It does not say from what the distance is measured.", chunk.text)
        self.operands.reference = Average(reference.kind, reference.period)
        if self._window is not None and named and named[0]["n"] is None:
            reference = Average(reference.kind, self.window or 0)
        share = round(chunk["share"] if chunk["up"] else -chunk["share"], 12)
        if not -1 < share < 10 or share == 0:
            raise CannotReadError(f"{chunk['share'] * 100:g}% is out of range here.", chunk.text)
        return Compare(
            Price(), "at_or_above" if chunk["up"] else "at_or_below", Average(reference.kind, reference.period, share)
        )

    def _deviations(self) -> Condition:
        self._only("deviations", "average", "at", "beyond", "score")
        chunk = self._of("deviations")[0]
        up = chunk["up"]
        if up is None:
            beyond = self._of("beyond")
            up = beyond[0]["up"] if beyond else not (chunk["minus"] or self.buying)
        if not 0 < chunk["n"] <= 10:
            raise CannotReadError("A distance from the mean must be above 0 and at most 10 deviations.", chunk.text)
        score = self.operands.score()
        self.operands.subject = score
        return Compare(score, "at_or_above" if up else "at_or_below", PriceLevel(chunk["n"] if up else -chunk["n"]))

    def _between(self) -> Condition:
        self._only("between", "rsi", "score", "macd", "number")
        chunk = self._of("between")[0]
        place = next(n for n, c in enumerate(self.chunks) if c is chunk)
        subject = self._subject([c for c in self.chunks[:place] if c.kind in OPERANDS])
        low, high = chunk["a"], chunk["b"]
        if place + 1 < len([c for c in self.chunks if c.kind not in _EMPTY]) or not low < high:
            raise CannotReadError("A range needs a lower and a higher value.", chunk.text)
        if isinstance(subject, Rsi) and not 0 <= low < high <= 100:
            raise CannotReadError("RSI levels lie between 0 and 100.", chunk.text)
        return Joined(
            (
                Compare(subject, "at_or_above", PriceLevel(low)), Compare(subject, "at_or_below", PriceLevel(high)),
            ), every=True,
        )  # fmt: skip

    # -- crosses ------------------------------------------------------------------------------------------

    def _golden(self) -> Condition:
        self._only("golden", "average", "pair", "number", "period")
        up = self._of("golden")[0]["up"]
        pairs = [c for c in self.chunks if c.kind == "pair" or (c.kind == "golden" and c["a"])]
        averages = self._of("average")
        if pairs:
            fast, slow = self.operands.pair(pairs[0])
        elif len(averages) == 2:
            fast, slow = self.operands.crossing_pair(*(self.operands.average(c) for c in averages))
        elif isinstance(self.operands.subject, Average) and isinstance(self.operands.reference, Average):
            fast, slow = self.operands.subject, self.operands.reference
        elif isinstance(self.operands.subject, Macd):
            return Compare(
                self.operands.subject, "crosses_above" if up else "crosses_below", self.operands.signal_line()
            )
        else:
            found = self.operands.named_strategy(self.chunks)
            assert found is not None
            assert isinstance(found[0], Compare)
            self.operands.subject, self.operands.reference = found[0].left, found[0].right
            return found[0] if up else found[1]
        self.operands.subject, self.operands.reference = fast, slow
        return Compare(fast, "crosses_above" if up else "crosses_below", slow)

    def _two_relations(self, relations: list[Chunk]) -> Condition:
        first, second = relations[:2]
        if (
            len(relations) == 2
            and first.kind == "cross"
            and first["up"] is None
            and second.kind == "beyond"
            and not second["moving"]
        ):
            self.chunks = [c for c in self.chunks if c is not second]
            first.values["up"] = second["up"]
            return self._compared(first)
        raise CannotReadError("It puts two conditions into one: join them by 'and' or 'or'.", first.text, second.text)

    def _compared(self, relation: Chunk) -> Condition:
        place = next(n for n, c in enumerate(self.chunks) if c is relation)
        turning = [c for c in self.chunks if c.kind in {"from", "direction"}]
        others = [c for c in self.chunks if c is not relation and c.kind not in {"from", "direction"}]
        extra = [c.text for c in others if c.kind not in OPERANDS | {"it", "now", "crossing", "and", "or"}]
        if extra or len(turning) > 1:
            raise CannotReadError("", *(extra or [turning[-1].text]))
        left = [c for c in self.chunks[:place] if c.kind in OPERANDS]
        right = [c for c in self.chunks[place + 1 :] if c.kind in OPERANDS]
        if not right and [c.kind for c in left] == ["macd"]:
            # "When the MACD crosses up": over its own line.
            return self._made(self._subject(left), relation, self.operands.signal_line(), turning)
        # The other side first: "at RSI 25" says there what is looked at.
        target = self._target(right, relation, pronoun=self._pronoun(place))
        subject = self._subject(left)
        if not left and relation.kind == "at" and isinstance(subject, Rsi | Macd) and isinstance(target, _PRICES):
            # "Buy when the RSI is below 30, sell at the 50 SMA": the price is what can be at an average.
            subject = Price()
        if not right and isinstance(subject, Macd) and not isinstance(target, Macd | PriceLevel):
            # "When the MACD crosses under": its own line, not what something else was compared with.
            target = self.operands.signal_line()
        return self._made(subject, relation, target, turning)

    def _pronoun(self, place: int) -> bool:
        return any(c.kind == "it" for c in self.chunks[place + 1 :])

    def _subject(self, chunks: list[Chunk]) -> Operand:
        if not chunks:
            return self.operands.subject
        if len(chunks) == 1 and chunks[0].kind == "pair":
            subject, self.operands.reference = self.operands.pair(chunks[0])
            self.operands.subject = subject
            return subject
        if any(c.kind == "histogram" for c in chunks):
            self.operands.subject = self.operands.macd()
            return self.operands.subject
        found = [c for c in chunks if c.kind != "price"] or chunks[:1]
        if len(found) == 2 and found[0].kind == "rsi" and found[1].kind == "number":
            # "RSI 14 below 30": the number stands before the comparison, so it is the look-back.
            self.operands.subject = Rsi(self.operands.steps(found[1]["n"], None))
            return self.operands.subject
        if len(found) == 2 and all(c.kind == "average" for c in found):
            self.operands.subject, self.operands.reference = (self.operands.operand(c) for c in found)
            return self.operands.subject
        if len(found) > 1:
            raise CannotReadError("", *(c.text for c in found[1:]))
        self.operands.subject = self.operands.operand(found[0])
        return self.operands.subject

    def _target(self, chunks: list[Chunk], relation: Chunk, *, pronoun: bool) -> Operand:
        if any(c.kind == "histogram" for c in chunks):
            raise CannotReadError("", "histogram")
        if not chunks:
            if self.operands.reference is None:
                if isinstance(self.operands.subject, Macd):
                    return self.operands.signal_line()
                word = relation.text
                raise CannotReadError("It does not say what the price is compared with.", *(() if pronoun else (word,)))
            return self.operands.reference
        if len(chunks) == 2 and chunks[0].kind == "rsi" and chunks[1].kind == "number":
            self.operands.subject = self.operands.rsi(chunks[0])
            return PriceLevel(chunks[1]["n"])
        if len(chunks) == 2 and chunks[0].kind == "macd" and chunks[1].kind in {"signal", "number"}:
            chunks = chunks[1:]
        if len(chunks) > 1:
            raise CannotReadError("", *(c.text for c in chunks[1:]))
        if chunks[0].kind == "pair":
            raise CannotReadError("", chunks[0].text)
        if chunks[0].kind == "rsi":
            raise CannotReadError("It does not say which level of the RSI is meant.", chunks[0].text)
        target = self.operands.operand(chunks[0])
        if isinstance(target, Extreme) and chunks[0]["n"] is None and self._window is not None:
            target = Extreme(target.high, self.window or 0)
        if isinstance(target, Average) and chunks[0]["n"] is None and self._window is not None:
            target = Average(target.kind, self.window or 0)
        if not isinstance(target, PriceLevel | Price):
            self.operands.reference = target
        return target

    def _made(self, left: Operand, relation: Chunk, right: Operand, turning: list[Chunk]) -> Condition:
        if isinstance(right, Macd) and not right.signal_line and isinstance(left, Price):
            raise CannotReadError("The MACD is compared with its signal line or with zero.", relation.text)
        if (
            isinstance(left, Price)
            and isinstance(right, PriceLevel)
            and any(c.kind == "histogram" for c in self.chunks)
        ):
            left = self.operands.macd()
        if any(c.kind == "histogram" for c in self.chunks):
            right = self.operands.signal_line()
        if isinstance(left, Price | ZScore) and self._mean_of_score(right):
            left, right = self.operands.subject, PriceLevel(0.0)
        how = self._relation(left, relation, right, turning)
        if isinstance(right, Price) or (isinstance(left, PriceLevel) and not isinstance(right, PriceLevel)):
            left, right, how = right, left, MIRRORED[how]
        if isinstance(left, Rsi) and not (isinstance(right, PriceLevel) and 0 < right.value < 100):
            raise CannotReadError("RSI levels lie between 0 and 100.", right.words())
        if left == right:
            raise CannotReadError("It does not say which two look-backs are meant.", relation.text)
        if not _comparable(left, right):
            raise CannotReadError(f"{left.words()} cannot be compared with {right.words()}.".replace("@", "tick"))
        if isinstance(left, PriceLevel):
            raise CannotReadError("It compares a number with a number.", left.words(), right.words())
        if isinstance(left, Price) and isinstance(right, Price):
            raise CannotReadError("It compares the price with itself.", relation.text)
        if isinstance(left, Price | Average) and isinstance(right, PriceLevel) and right.value <= 0:
            raise CannotReadError("A price level must be above zero.", right.words())
        if isinstance(left, Price) and isinstance(right, PriceLevel):
            self.operands.reference = self.operands.reference or right
        return Compare(left, how, right)

    def _mean_of_score(self, right: Operand) -> bool:
        return isinstance(self.operands.subject, ZScore) and isinstance(right, Average)

    def _relation(self, left: Operand, chunk: Chunk, right: Operand, turning: list[Chunk]) -> Relation:
        up = chunk["up"]
        if turning:
            way = turning[0]["up"]
            if up is not None and up is not way:
                raise CannotReadError("It names two directions of one cross.", chunk.text, turning[0].text)
            if chunk.kind not in {"cross", "at", "beyond"}:
                raise CannotReadError("", turning[0].text)
            return "crosses_above" if way else "crosses_below"
        if chunk.kind == "cross":
            if up is None and isinstance(right, PriceLevel):
                self.operands.undirected.append((left, right.value, chunk.text))
            return "crosses_above" if (self.buying if up is None else up) else "crosses_below"
        if chunk.kind == "beyond":
            if up is None:
                # "Breaks the 50-tick high": a high upwards, a low downwards, else as the side says.
                up = right.high if isinstance(right, Extreme) else self.buying
            if chunk["inclusive"]:
                return "at_or_above" if up else "at_or_below"
            moving = chunk["moving"] and isinstance(right, Average | Macd)
            if moving or (chunk["moving"] and isinstance(left, Average | Macd)):
                return "crosses_above" if up else "crosses_below"
            return "above" if up else "below"
        if chunk.kind == "target":
            if up and self.buying and isinstance(left, Price):
                return "rises_to"
            return "at_or_above" if up else "at_or_below"
        return self._reached(left, chunk, right)

    def _reached(self, left: Operand, chunk: Chunk, right: Operand) -> Relation:
        """Return from which side a value is reached where only "at" or "hits" is said."""
        if isinstance(right, PriceLevel) and isinstance(left, Rsi):
            return "at_or_below" if right.value < 50 else "at_or_above"
        if isinstance(right, Band) and right.width:
            return "at_or_below" if right.width < 0 else "at_or_above"
        if isinstance(right, Extreme):
            return "at_or_above" if right.high else "at_or_below"
        if isinstance(right, PriceLevel) and isinstance(left, Price) and chunk["touch"]:
            # From which side it comes is known once both levels are.
            return "rises_to" if self.buying else "at_or_above"
        if self.buying and not isinstance(right, PriceLevel):
            raise CannotReadError(
                "It does not say from which side the value is reached: say 'rises to' or 'falls to'.", chunk.text
            )
        return "at_or_below" if self.buying else "at_or_above"

    # -- without a relation -------------------------------------------------------------------------------

    def _without_relation(self, kinds: set[str]) -> Condition | None:
        if "turn" in kinds:
            return self._turn()
        if kinds <= _EMPTY:
            return None
        found = [c for c in self.chunks if c.kind not in _EMPTY]
        if "rsi" in kinds and len(found) == 2 and found[1].kind == "number":
            rsi, level = self.operands.rsi(found[0]), PriceLevel(found[1]["n"])
            self.operands.subject = rsi
            return Compare(rsi, "at_or_below" if self.buying else "at_or_above", level)
        if len(found) == 1:
            return self._single(found[0])
        if {"average", "crossing"} >= {c.kind for c in found} or {"pair", "crossing"} >= {c.kind for c in found}:
            named = self.operands.named_strategy(found)
            return None if named is None else self._side_of(named)
        if {c.kind for c in found} <= {"macd", "signal", "crossing"}:
            named = self.operands.named_strategy(found)
            return None if named is None else self._side_of(named)
        raise CannotReadError("", *(c.text for c in found))

    def _side_of(self, named: tuple[Condition, Condition]) -> Condition:
        first = named[0]
        assert isinstance(first, Compare)
        self.operands.subject, self.operands.reference = first.left, first.right
        return named[0] if self.buying else named[1]

    def _single(self, chunk: Chunk) -> Condition | None:
        if chunk.kind == "extreme":
            target = self.operands.operand(chunk)
            assert isinstance(target, Extreme)
            return Compare(Price(), "above" if target.high else "below", target)
        if chunk.kind == "band":
            band = self.operands.band(chunk["which"])
            return Compare(Price(), self._reached(Price(), chunk, band), band)
        if chunk.kind == "breakout":
            n = (
                self.operands.period("extreme", chunk["n"], chunk["unit"])
                if chunk["n"] or self.window is None
                else self.window
            )
            high = self.buying and not chunk["low"]
            return Compare(Price(), "above" if high else "below", Extreme(high, n))
        if chunk.kind in {"average", "pair", "macd", "crossing"}:
            named = self.operands.named_strategy([chunk]) if chunk.kind != "crossing" else None
            if named is not None:
                return self._side_of(named)
        raise CannotReadError("", chunk.text)

    def _turn(self) -> Condition:
        self._only("turn", *OPERANDS)
        chunk = self._of("turn")[0]
        if self._of("histogram"):
            self.operands.subject, self.operands.histogram = self.operands.macd(), True
            self.chunks = [c for c in self.chunks if c.kind not in {"histogram", "macd"}]
        sign = "positive" in chunk.text or "negative" in chunk.text
        named = [c for c in self.chunks if c.kind in OPERANDS and c.kind != "price"]
        if len(named) > 1 or len(self._of("turn")) > 1:
            raise CannotReadError(
                "It puts two conditions into one: join them by 'and' or 'or'.", *(c.text for c in named)
            )
        subject = self.operands.operand(named[0]) if named else Price() if self._of("price") else self.operands.subject
        if isinstance(subject, PriceLevel | Band | Extreme):
            raise CannotReadError("", chunk.text)
        if isinstance(subject, Price):
            change: Change = self.operands.change(self.window)
            return Compare(change, "above" if chunk["up"] else "below", PriceLevel(0.0))
        if self._window_chunk is not None:
            # An indicator is compared with its last value, not with that of some ticks ago.
            raise CannotReadError(
                "I can follow the change over several ticks of the price only.", chunk.text, self._window_chunk.text
            )
        self.operands.subject = subject
        if isinstance(subject, Macd) and sign:
            zero = self.operands.signal_line() if self.operands.histogram else PriceLevel(0.0)
            up: Relation = "crosses_above" if chunk["event"] else "above"
            return Compare(subject, up if chunk["up"] else MIRRORED[up], zero)
        if (sign and "slope" not in chunk.text) or self.operands.histogram:
            raise CannotReadError("It does not say what is positive or negative here.", chunk.text)
        return Turn(subject, chunk["up"], chunk["event"])


def _comparable(left: Operand, right: Operand) -> bool:
    """Tell whether two operands are of one kind: prices, values of the MACD, or a number against any."""
    prices = Price | Average | Band | Extreme
    if isinstance(left, PriceLevel) or isinstance(right, PriceLevel):
        return True
    return (isinstance(left, prices) and isinstance(right, prices)) or (
        isinstance(left, Macd) and isinstance(right, Macd)
    )
