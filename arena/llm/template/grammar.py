"""Puts chunks together to rules: conditions for each side, sizes, exits; what cannot be placed is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, permutations

from arena.llm.template.intents import Size
from arena.llm.template.lexer import Chunk
from arena.llm.template.operands import Operands
from arena.llm.template.rules import (
    EVENTS,
    UPWARD,
    AtStart,
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
    Price,
    PriceLevel,
    Rsi,
    Sale,
    StrategyRules,
    ZScore,
    mirrored,
    operands,
    terms,
)
from arena.llm.template.symbols import Symbols
from arena.llm.template.terms import TELLING, read_term
from arena.llm.template.text import CannotReadError

OPPOSITE = "It contradicts itself: it would buy and sell on the same condition."
_VERBS = frozenset({"buy", "sell", "own", "both"})
_TIMES = frozenset({"hours", "days"})
_GLOBAL = frozenset({"bar", "ticklength", "exit", "size", "period", "symbol", "allsymbols", "naked", "often"})
# What may stand before the sides: the indicators that they speak of.
_AFTER_PERIOD = frozenset(
    {"", "stop", "when", "bar", "beyond", "cross", "turn", "levels", "symbol", "allsymbols", "zone"}
)
_SETUP = frozenset({
    "average", "pair", "rsi", "macd", "score", "bollinger", "window", "momentum", "reversion", "crossing", "stop",
    "when", "and", "price", "it", "versus", "breakout", "signal", "golden", "cross", "hours", "days", "now", "opposite",
    "zone",
})  # fmt: skip
_PLACED: dict[str, type | tuple[type, ...]] = {
    "average": (Average, ZScore, Band), "pair": Average, "rsi": Rsi, "macd": Macd, "histogram": Macd, "score": ZScore,
    "band": Band, "bollinger": Band, "extreme": Extreme, "breakout": (Extreme, Band), "momentum": Change,
    "ratio": ZScore,
}  # fmt: skip
_REASONS = {
    "volume": "There is no volume in this market, only prices, so VWAP and volume rules cannot be built.",
    "ohlc": "This indicator is not known here, or needs the volume or the highs and lows that this market lacks.",
    "short": "The arena has no short selling: a bot can only buy, and sell what it holds.",
    "still": "'Flat' needs a width: say between which changes, such as above -0.1% and below 0.1% over 20 ticks.",
    "never": "I do not follow a rule that is turned round by a word like this one; say what the bot should do.",
    "fade": "I do not follow a rule that is turned round by a word like this one; say when to buy and when to sell.",
    "lasting": "I cannot follow a wait or a condition that must last.",
    "naked": "It does not say of what the amount is: write 3 BTC, $300 or 3% of cash.",
    "ofcoin": "It does not say of what to buy that share: write 50% of cash.",
    "risk": "A size that follows from the risk is not known here: say how much each order buys, such as 5% of cash.",
    "scaled": "Every purchase has one size here; it cannot grow with something else.",
    "exitmoney": "A stop or a target is a percentage of the entry here: write '3% stop loss' or '5% take profit'.",
    "exitsignal": "A stop or a target is a percentage of the entry here; for a sale by a signal say 'sell when'.",
    "currency": "Money is counted in dollars here: write $50.",
    "session": "This market never opens or closes: give a time, such as 9:30 (UTC).",
    "moved": "How far the price moves is a percentage here: say falls 1% over 10 ticks.",
    "apart": "It does not say from what the distance is measured: say 1% below the 20 SMA, or falls 1% over 10 ticks.",
    "zoned": "Times are read as UTC here: give them in UTC.",
    "unknown": "",
}


def read_rules(chunks: list[Chunk], symbols: Symbols, interval: float, *, all_in: bool = False) -> StrategyRules:
    """Return the rules that the chunks say, or raise CannotReadError with what could not be placed."""
    chunks = _with_periods(_with_percents(chunks))
    _refuse(chunks)
    _refuse_unclear_times(chunks)
    reader = _Reader(chunks, symbols, interval)
    return reader.rules(all_in=all_in)


def _with_percents(chunks: list[Chunk]) -> list[Chunk]:
    """Give a bare percentage its meaning by the verb before it: "sell 50%" is a share, "buy 10%" a size."""
    found: list[Chunk] = []
    for chunk in chunks:
        before = found[-1].kind if found else ""
        if chunk.kind == "percent" and before == "sell":
            found.append(Chunk("share", chunk.text, {"share": chunk["n"]}))
        elif chunk.kind == "percent" and before == "buy":
            found.append(Chunk("size", chunk.text, {"size": "cash", "n": chunk["n"]}))
        elif chunk.kind == "rest":
            # "Sell half at ... and the rest at ...": another sale.
            found += [] if before == "sell" else [Chunk("sell", chunk.text)]
        elif chunk.kind == "percent":
            found.append(Chunk("unknown", chunk.text))
        else:
            found.append(chunk)
    return found


def _with_periods(chunks: list[Chunk]) -> list[Chunk]:
    """Read "RSI 14" as its look-back where nothing makes the number a level."""
    found: list[Chunk] = []
    for place, chunk in enumerate(chunks):
        before = found[-1] if found else Chunk("", "")
        earlier = found[-2].kind if len(found) > 1 else ""
        after = chunks[place + 1].kind if place + 1 < len(chunks) else ""
        look_back = chunk.kind == "number" and before.kind == "rsi" and before["n"] is None
        if look_back and earlier not in {"at", "buy", "sell", "own", "target"} and after in _AFTER_PERIOD:
            before.values["n"] = chunk["n"]
        else:
            found.append(chunk)
    return found


def _refuse(chunks: Sequence[Chunk]) -> None:
    for kind, reason in _REASONS.items():
        found = [chunk.text for chunk in chunks if chunk.kind == kind]
        if found:
            also = [chunk.text for chunk in chunks if chunk.kind == "unknown"]
            raise CannotReadError(reason, *dict.fromkeys([*found, *also]))


def _refuse_unclear_times(chunks: Sequence[Chunk]) -> None:
    """Refuse times that are joined by "or", and times that an excluded one may or may not take with it."""
    near = [c for c in chunks if c.kind not in {"stop", "and", "when", "it"}]
    for one, two in pairwise(near):
        times = [c for c in (one, two) if c.kind in _TIMES]
        if times and "or" in {one.kind, two.kind}:
            raise CannotReadError(
                "I cannot join a time and something else by 'or': say at which times the bot may trade.",
                one.text, two.text,
            )  # fmt: skip
        if len(times) == 2 and one["no"] and not two["no"] and "only" not in two.text:
            raise CannotReadError("It does not say whether both times are excluded or one of them.", one.text, two.text)
        if len(times) == 2 and one.kind == two.kind and not one["no"] and not two["no"]:
            raise CannotReadError("It names two times, and I cannot tell which of them holds.", one.text, two.text)


class _Reader:
    def __init__(self, chunks: list[Chunk], symbols: Symbols, interval: float) -> None:
        self._symbols = symbols
        self._notes: list[str] = []
        self._interval = interval
        self._global = {kind: [c for c in chunks if c.kind == kind] for kind in _GLOBAL}
        self._bar = self._bar_seconds()
        self.operands = Operands(chunks, self._bar or interval, self._notes)
        self._chunks = self._without_globals(chunks)
        self._ratio = [c.text for c in chunks if c.kind == "ratio"]
        self._named = self._named_symbols(chunks)
        self._times: list[Condition] = []
        self._trading = any(c["both_sides"] for c in chunks if c.kind in _TIMES)

    # -- what is said once for all ------------------------------------------------------------------------

    def _bar_seconds(self) -> float | None:
        stated = {c["seconds"] for c in self._global["ticklength"]}
        if stated - {self._interval}:
            raise CannotReadError(
                f"One tick of this market is {self._interval:g} s; for longer ones say '5 minute bars'."
            )
        lengths = {c["seconds"] for c in self._global["bar"]}
        if len(lengths) > 1:
            raise CannotReadError("It names bars of two lengths.", *(c.text for c in self._global["bar"]))
        if not lengths or lengths == {self._interval}:
            return None
        length = float(lengths.pop())
        if length < self._interval or length <= 0 or length > 7 * 86_400:
            raise CannotReadError(f"A bar must last at least one tick ({self._interval:g} s) and at most a week.")
        return length

    def _without_globals(self, chunks: list[Chunk]) -> list[Chunk]:
        kept: list[Chunk] = []
        for place, chunk in enumerate(chunks):
            if chunk.kind == "symbol":
                after = chunks[place + 1].kind if place + 1 < len(chunks) else ""
                if after in {"beyond", "cross", "move", "target", "at", "turn", "offset", "deviations"}:
                    kept.append(Chunk("price", chunk.text))
            elif chunk.kind == "signal" and not any(c.kind == "macd" for c in chunks):
                continue
            elif chunk.kind not in _GLOBAL and not self.operands.took(chunk):
                kept.append(chunk)
        return kept

    def _named_symbols(self, chunks: list[Chunk]) -> tuple[str, ...]:
        sized = [c["symbol"] for c in self._global["size"] if c["symbol"]]
        named = list(dict.fromkeys([*sized, *(c["symbol"] for c in self._global["symbol"])]))
        every = self._global["allsymbols"]
        if any(c.kind == "ratio" for c in chunks):
            if len(named) != 1:
                raise CannotReadError("It does not say which symbol of the ratio to trade.", *named)
            return (named[0],)
        if every:
            if every[0]["both"] and len(named) != 2 and len(self._symbols.market) != 2:
                raise CannotReadError("This market has more than two symbols: name the two.", every[0].text)
            return tuple(named) if len(named) > 1 else self._symbols.market[:50]
        if len(named) > 1:
            raise CannotReadError(
                f"It names {' and '.join(named)}, and a strategy like this trades one symbol: ask for one bot each.",
                *named,
            )
        if not named:
            self._notes.append(f"No symbol was named, so it is {self._symbols.default}.")
        return tuple(named) or (self._symbols.default,)

    def _size(self, *, hold: bool) -> Size:
        found = list(dict.fromkeys((c["size"], c["n"]) for c in self._global["size"]))
        if len(found) > 1:
            raise CannotReadError(
                "It names two different sizes; a bot has one size for every purchase.",
                *(c.text for c in self._global["size"]),
            )
        if not found:
            share = 1.0 if hold else 0.1
            if not hold:
                self._notes.append(f"No size was given, so it uses {share:.0%} of its cash.")
            return Size("cash", share)
        kind, value = found[0]
        if not 0 < value <= (1.0 if kind == "cash" else 1e9):
            raise CannotReadError(f"{value:g} is no size that a bot can trade.", self._global["size"][0].text)
        return Size(kind, value)

    def _exits(self) -> list[Sale]:
        found: dict[str, float] = {}
        for chunk in self._global["exit"]:
            kind, share = chunk["exit"], round(chunk["share"], 12)
            if found.get(kind, share) != share:
                raise CannotReadError("Two different values are given for one exit.", chunk.text)
            if not 0 < share < (10.0 if kind == "gain" else 1.0):
                raise CannotReadError(f"{share * 100:g}% is out of range here.", chunk.text)
            found[kind] = share
        return [Sale(Entered(kind, share)) for kind, share in sorted(found.items())]  # type: ignore[arg-type]

    # -- both sides ---------------------------------------------------------------------------------------

    def rules(self, *, all_in: bool) -> StrategyRules:
        buys, sells, setup, inverted = self._sides()
        filters = self._filters(setup) if buys is None else []
        setup = [c for c in setup if c.kind not in {"hours", "days"}]
        exits = self._exits()
        said_when = buys is not None
        if buys is None:
            buys, sells = self._by_name(setup, sells)
        if buys is None:
            if not any(c.kind == "buy" for c in self._chunks):
                raise CannotReadError("It says when to sell and never when to buy." if sells else "")
            known = (
                any(c.kind == "now" for c in self._chunks) or bool(self._global["size"] and not sells) or bool(exits)
            )
            if not known:
                raise CannotReadError("It says to buy and not when: name a condition, or say 'buy and hold'.")
            buys = AtStart()
        if self._global["often"] and not isinstance(buys, AtStart):
            raise CannotReadError(
                "I cannot count how often a bot buys: it buys again whenever its rule says so and nothing is held.",
                *(c.text for c in self._global["often"]),
            )
        if inverted:
            buys, sells = self._turned_round(buys, sells, said_when=said_when)
        self._settle_touches(buys, sells)
        sales = [*sells, *exits]
        self._refuse_unknown_sides(buys, sells)
        default = [] if sales or isinstance(buys, AtStart) else self._default_sale(buys)
        self._refuse_contradictions(buys, [*sales, *default])
        times = [*filters, *self._times]
        if times:
            buys, sales = self._at_times(buys, sales, default, times)
        else:
            sales += default
        self.operands.refuse_unused()
        self._refuse_unplaced(buys, sales)
        return StrategyRules(
            symbols=self._named, buy=buys, sales=tuple(sales), size=self._size(hold=all_in), bar=self._bar,
            notes=tuple(dict.fromkeys(self._notes)),
        )  # fmt: skip

    def _at_times(
        self, buys: Condition, sells: list[Sale], default: list[Sale], filters: Sequence[Condition]
    ) -> tuple[Condition, list[Sale]]:
        """Return both sides' rules, followed only at certain times; stops and targets are followed at any.

        A sale that nothing was said about follows them only where they are said of trading as a whole.
        """
        protective = [sale for sale in sells if any(isinstance(each, Entered) for each in terms(sale.when))]
        timed = [sale for sale in [*sells, *default] if sale not in protective and (self._trading or sale in sells)]
        sides = "buys and sells by its signals" if timed else "buys"
        note = f"It {sides} only at those times"
        note += "; stops and targets are followed at any time" if protective else ""
        self._notes.append(note + ("; it sells at any time." if default and not timed else "."))
        kept = [
            replace(sale, when=Joined((sale.when, *filters), every=True)) if sale in timed else sale
            for sale in [*sells, *default]
        ]
        return Joined((buys, *filters), every=True), kept

    def _settle_touches(self, buys: Condition, sells: list[Sale]) -> None:
        """Say from which side a price is "hit", by the other side's price; a question where there is none."""
        touched = any(c.kind == "at" and c["touch"] for c in self._chunks)
        if (
            not touched
            or not isinstance(buys, Compare)
            or not isinstance(buys.right, PriceLevel)
            or buys.left != Price()
        ):
            return
        level = buys.right.value
        for place, sale in enumerate(sells):
            how = sale.when
            if isinstance(how, Compare) and isinstance(how.right, PriceLevel) and how.left == Price():
                if how.right.value < level:
                    sells[place] = replace(sale, when=replace(how, relation="at_or_below"))
                return
        if buys.relation == "rises_to":
            raise CannotReadError(
                f"It does not say from which side the price comes to {level:g}: say 'rises to' or 'falls to'."
            )

    def _refuse_unknown_sides(self, buys: Condition, sells: list[Sale]) -> None:
        """Refuse a value that the price comes to from a side that nothing tells."""
        compared = [each for when in (buys, *(s.when for s in sells)) for each in terms(when)]
        for left, level, words in self.operands.undirected:
            others = [
                each.right.value
                for each in compared
                if isinstance(each, Compare) and each.left == left and isinstance(each.right, PriceLevel)
            ]
            if any(other not in {level, 0.0} for other in others):
                raise CannotReadError(f"It does not say in which way {level:g} is crossed: above or below?", words)
        upward = [each for each in terms(buys) if isinstance(each, Compare) and each.relation in UPWARD]
        reached = [c.text for c in self._chunks if c.kind == "at"]
        for sale in sells if upward and reached else ():
            how = sale.when
            if isinstance(how, Compare) and how.left == Price() and how.relation == "at_or_above":
                middle = isinstance(how.right, Average) or (isinstance(how.right, Band) and not how.right.width)
                if middle:
                    raise CannotReadError(
                        f"It does not say from which side the price comes to {how.right.words()}: say 'rises to' "
                        "or 'falls to'.".replace("@", "tick"), *reached,
                    )  # fmt: skip

    def _default_sale(self, buys: Condition) -> list[Sale]:
        lefts = [each.left for each in terms(buys) if isinstance(each, Compare) and isinstance(each.right, PriceLevel)]
        if isinstance(buys, Joined) and buys.every and len(set(lefts)) < len(lefts):
            raise CannotReadError("It does not say when to sell, and a range has no opposite.")
        opposite = mirrored(buys)
        if opposite is None:
            self._notes.append("Nothing says when to sell, so it keeps what it has bought.")
            return []
        if isinstance(opposite, Compare):
            opposite = replace(opposite)
        self._notes.append("Nothing was said about selling, so it sells on the opposite of the signal.")
        return [Sale(opposite)]

    def _turned_round(self, buys: Condition, sells: list[Sale], *, said_when: bool) -> tuple[Condition, list[Sale]]:
        if said_when:
            words = [c.text for c in self._chunks if c.kind == "opposite"]
            raise CannotReadError(
                "I cannot tell what should be turned round; say when to buy and when to sell.", *words
            )
        if len(sells) != 1:
            opposite = mirrored(buys)
            if opposite is None:
                raise CannotReadError("I cannot turn this strategy round; say when to buy and when to sell.")
            return opposite, [Sale(buys)]
        return sells[0].when, [Sale(buys)]

    def _sides(self) -> tuple[Condition | None, list[Sale], list[Chunk], bool]:
        chunks = self._both(self._chunks)
        places = [n for n, c in enumerate(chunks) if c.kind in _VERBS]
        if not places:
            inverted = any(c.kind == "opposite" for c in chunks)
            return None, [], [c for c in chunks if c.kind != "opposite"], inverted
        edges = [-1, *places, len(chunks)]
        spans = [chunks[a + 1 : b] for a, b in pairwise(edges)]
        tells = [any(c.kind in TELLING for c in span) for span in spans]
        before, after = tells[0], tells[-1]
        verbs = [chunks[place] for place in places]
        if before and not after:
            # "Above it, buy; below it, sell": each condition stands before its verb.
            return self._conditions(list(zip(verbs, spans[:-1], strict=True)), spans[-1])
        if before and len(verbs) == 2 and not tells[1]:
            # "When it is above, buy; sell when it is below."
            return self._conditions([(verbs[0], spans[0]), (verbs[1], spans[2])], spans[1])
        return self._conditions(list(zip(verbs, spans[1:], strict=True)), spans[0])

    @staticmethod
    def _both(chunks: list[Chunk]) -> list[Chunk]:
        """Write "buy/sell when it crosses above/below" out as two sides."""
        if not any(c.kind == "both" for c in chunks):
            return chunks
        start = next(n for n, c in enumerate(chunks) if c.kind == "both")
        rest = chunks[start + 1 :]
        pair = [n for n, c in enumerate(rest) if c.kind == "versus"]
        if len(pair) != 1 or not 0 < pair[0] < len(rest) - 1:
            raise CannotReadError("Say for each of buying and selling when to do it.", chunks[start].text)
        place = pair[0]
        up, down = rest[place - 1], rest[place + 1]
        if up["up"] is None or down["up"] is None or up["up"] == down["up"]:
            raise CannotReadError("Say for each of buying and selling when to do it.", chunks[start].text)
        second = Chunk(up.kind, down.text, {**up.values, "up": down["up"]})
        head, tail = rest[: place - 1], rest[place + 2 :]
        return [*chunks[:start], Chunk("buy", "buy"), *head, up, *tail, Chunk("sell", "sell"), *head, second, *tail]

    def _conditions(
        self, parts: list[tuple[Chunk, list[Chunk]]], setup: list[Chunk]
    ) -> tuple[Condition | None, list[Sale], list[Chunk], bool]:
        filters = self._filters(setup)
        setup = [c for c in setup if c.kind not in {"hours", "days"}]
        self.operands.learn(setup)
        stray = [c.text for c in setup if c.kind not in _SETUP]
        if stray:
            raise CannotReadError("", *stray)
        parts, always = self._with_global_filters(parts)
        filters += always
        buys: Condition | None = None
        sells: list[Sale] = []
        waiting: list[float] = []
        unsaid: list[str] = []
        inverted = any(c.kind == "opposite" for c in setup)
        setup = [c for c in setup if c.kind != "opposite"]
        for verb, given in parts:
            buying = verb.kind in {"buy", "own"}
            share, kept = self._share(given)
            opposite = [c for c in kept if c.kind in {"opposite", "otherwise"}]
            chunks = [c for c in kept if c.kind not in {"opposite", "otherwise"}]
            if buying and share != 1.0:
                raise CannotReadError("It does not say of what to buy that share: write 50% of cash.")
            found = self._condition(chunks, buying=buying)
            if buying and found is None and any(c.kind == "now" for c in chunks):
                found = AtStart()
            if opposite and found is not None and not buying:
                raise CannotReadError("It says when to sell in two ways.", *(c.text for c in opposite))
            if buying:
                if found is not None and buys is not None:
                    buys = Joined((buys, found), every=False)
                buys = buys if found is None else found if buys is None else buys
                if verb.kind == "own" or any(c.kind == "otherwise" for c in opposite):
                    waiting.append(1.0)
                elif opposite:
                    if any("vice versa" not in c.text for c in opposite):
                        inverted = True
                    else:
                        waiting.append(1.0)
            elif found is not None:
                sells.append(Sale(found, share))
            else:
                waiting.append(share)
                unsaid += [] if opposite else [verb.text]
        if buys is None and filters:
            raise CannotReadError("It says at which times to trade and not when to buy.")
        if buys is not None and unsaid and not sells:
            raise CannotReadError(
                "It says to sell and not when: name a condition, or say 'sell on the opposite'.", *unsaid
            )
        if buys is not None:
            sells += self._waiting(buys, sells, waiting)
            self._times = filters
        elif (
            sells
            and not waiting
            and not any(c.kind in TELLING | {"average", "pair", "rsi", "macd", "breakout", "bollinger"} for c in setup)
        ):
            raise CannotReadError("It says when to sell and never when to buy.")
        return buys, sells, setup, inverted

    @staticmethod
    def _with_global_filters(
        parts: list[tuple[Chunk, list[Chunk]]],
    ) -> tuple[list[tuple[Chunk, list[Chunk]]], list[Condition]]:
        """Take out the times that hold for both sides.

        These are the times that are said of trading, and all those at the end where they stand behind a comma, or
        where one of them says "only" or "but not".
        """
        found: list[Condition] = []
        kept: list[tuple[Chunk, list[Chunk]]] = []
        for verb, chunks in parts:
            found += _Reader._filters([c for c in chunks if c["both_sides"]])
            kept.append((verb, [c for c in chunks if not c["both_sides"]]))
        verb, chunks = kept[-1]
        start = len(chunks)
        while start and chunks[start - 1].kind in {*_TIMES, "stop", "and"}:
            start -= 1
        if all(c.kind in {"when", "it", "stop", "and"} for c in chunks[:start]):
            # "Sell on Fridays, only between 9am and 5pm": the day is when to sell.
            times = (n for n, c in enumerate(chunks) if c.kind in _TIMES)
            start = min(next(times, -1) + 1, len(chunks)) or len(chunks)
        last = chunks[start:]
        apart = bool(last) and last[0].kind == "stop"
        if apart or any("only" in c.text or c.text.startswith("but") for c in last):
            found += _Reader._filters(last)
            kept[-1] = (verb, chunks[:start])
        return kept, found

    @staticmethod
    def _waiting(buys: Condition, sells: list[Sale], waiting: list[float]) -> list[Sale]:
        """Return the sales whose condition is the opposite of the purchase."""
        if not waiting or sells:
            return []
        opposite = mirrored(buys)
        if opposite is None:
            raise CannotReadError("It does not say when to sell.")
        single = terms(buys)[0]
        if isinstance(single, Compare) and isinstance(single.left, Rsi) and isinstance(single.right, PriceLevel):
            # "Own while the RSI is above 50": out where that no longer holds, not at a level of our choice.
            opposite = (
                Compare(single.left, opposite.relation, single.right) if isinstance(opposite, Compare) else opposite
            )
        if isinstance(buys, Joined):
            raise CannotReadError("It does not say when to sell.")
        return [Sale(opposite, waiting[0])]

    @staticmethod
    def _share(chunks: list[Chunk]) -> tuple[float, list[Chunk]]:
        shares = [c for c in chunks if c.kind == "share"]
        kept = [c for c in chunks if c.kind not in {"share", "rest"}]
        if len(shares) > 1 or any(not 0 < c["share"] <= 1 for c in shares):
            raise CannotReadError("It names a share that cannot be sold.", *(c.text for c in shares))
        return (shares[0]["share"] if shares else 1.0), kept

    @staticmethod
    def _filters(chunks: list[Chunk]) -> list[Condition]:
        found: list[Condition] = []
        for chunk in chunks:
            if chunk.kind == "hours":
                found.append(InHours(chunk["start"] % 1440, chunk["end"] % 1440))
            elif chunk.kind == "days":
                found.append(OnDays(chunk["days"]))
        return found

    def _condition(self, chunks: list[Chunk], *, buying: bool) -> Condition | None:
        """Return the condition in a part, whose terms are joined by one of and, or."""
        filters = self._filters(chunks)
        chunks = [c for c in chunks if c.kind not in {"hours", "days"}]
        groups: list[list[Chunk]] = [[]]
        joins: list[str] = []
        for place, chunk in enumerate(chunks):
            if chunk.kind in {"and", "or"}:
                rest = chunks[place + 1 :]
                if any(c.kind in TELLING for c in groups[-1]) and any(c.kind in TELLING for c in rest):
                    if chunk["then"]:
                        raise CannotReadError(
                            "I cannot follow conditions that come one after the other: they must hold at one tick.",
                            chunk.text,
                        )
                    groups.append([])
                    joins.append(chunk.kind)
            else:
                groups[-1].append(chunk)
        if len(set(joins)) > 1:
            raise CannotReadError("It joins conditions by both 'and' and 'or', which can be read in two ways.")
        found = [read_term(group, self.operands, buying=buying) for group in groups]
        parts: list[Condition] = [term for term in found if term is not None]
        if joins and len(parts) != len(groups):
            raise CannotReadError("I can follow only one of the conditions that it joins.", chunks[0].text)
        if "and" in joins:
            self._refuse_never(parts)
        joined: Condition | None = None
        if parts:
            joined = parts[0] if len(parts) == 1 else Joined(tuple(parts), every=joins[0] == "and")
        if filters:
            return Joined((joined, *filters), every=True) if joined is not None else self._only_filters(filters)
        return joined

    @staticmethod
    def _refuse_never(parts: Sequence[Condition]) -> None:
        """Refuse conditions joined by "and" that cannot hold at one tick."""
        compared = [each for each in parts if isinstance(each, Compare)]
        for low, high in permutations(compared, 2):
            if low.left != high.left or low.relation not in UPWARD or high.relation in UPWARD:
                continue
            levels = (low.right, high.right)
            same = low.right == high.right or (low.relation in EVENTS and high.relation in EVENTS)
            if same or (all(isinstance(each, PriceLevel) for each in levels) and low.right.value >= high.right.value):  # type: ignore[union-attr]
                raise CannotReadError("It names conditions that can never hold at one tick.")

    @staticmethod
    def _only_filters(filters: list[Condition]) -> Condition:
        return filters[0] if len(filters) == 1 else Joined(tuple(filters), every=True)

    def _by_name(self, setup: list[Chunk], sells: list[Sale]) -> tuple[Condition | None, list[Sale]]:
        """Return the rules of a strategy that is only named, such as "RSI 30/70" or "10/30 SMA crossover"."""
        left = [
            c
            for c in self._chunks
            if c.kind not in {*_VERBS, "stop", "and", "when", "now", "opposite", "it", "price", "hours", "days"}
        ]
        pool = [c for c in setup if c in left] if any(c.kind in _VERBS for c in self._chunks) else left
        named = self.operands.named_strategy(pool or left)
        if named is None:
            if pool:
                raise CannotReadError("", *(c.text for c in pool))
            return None, sells
        buys, sale = named
        return buys, sells or (
            [Sale(sale)] if not self._global["exit"] or not any(c.kind == "buy" for c in self._chunks) else []
        )

    def _refuse_unplaced(self, buys: Condition, sales: list[Sale]) -> None:
        """Refuse an indicator that is named and stands in neither rule."""
        placed = [operand for condition in (buys, *(sale.when for sale in sales)) for operand in operands(condition)]
        periods = {o.period for o in placed if isinstance(o, Average | ZScore)}
        averages = {o.period for o in placed if isinstance(o, Average)}
        if any(isinstance(o, ZScore) and o.period in averages for o in placed):
            words = [c.text for c in self._chunks if c.kind in {"score", "average", "pair"}]
            raise CannotReadError("The look-back of an average is no look-back of a z-score: give it its own.", *words)
        if self._ratio and any(not isinstance(o, ZScore | PriceLevel) for o in placed):
            raise CannotReadError(
                "A ratio can be compared with its own mean only, in standard deviations.", *self._ratio
            )
        for chunk in self._chunks:
            kinds = _PLACED.get(chunk.kind)
            if kinds is None:
                continue
            numbers = (
                [chunk["n"]] if chunk.kind == "average" else [chunk["a"], chunk["b"]] if chunk.kind == "pair" else []
            )
            steps = {self.operands.steps(n, chunk["unit"]) for n in numbers if n}
            if chunk.kind == "rsi" and chunk["n"] and not any(o == self.operands.rsi(chunk) for o in placed):
                raise CannotReadError("", chunk.text)
            if not any(isinstance(operand, kinds) for operand in placed) or not steps <= periods:
                raise CannotReadError("", chunk.text)

    def _refuse_contradictions(self, buys: Condition, sales: list[Sale]) -> None:
        for sale in sales:
            if sale.when == buys:
                raise CannotReadError(OPPOSITE)
            pair = (buys, sale.when)
            if all(isinstance(c, Compare) and isinstance(c.right, PriceLevel) for c in pair):
                self._refuse_overlap(*pair)  # type: ignore[arg-type]

    @staticmethod
    def _refuse_overlap(buy: Compare, sell: Compare) -> None:
        assert isinstance(buy.right, PriceLevel)
        assert isinstance(sell.right, PriceLevel)
        if buy.left != sell.left:
            return
        states = {"below": -1, "at_or_below": -1, "above": 1, "at_or_above": 1}
        b, s = states.get(buy.relation), states.get(sell.relation)
        if b is None or s is None:
            return
        apart = buy.right.value <= sell.right.value if b < 0 else buy.right.value >= sell.right.value
        if b == s or not apart:
            what = "The RSI levels contradict each other" if isinstance(buy.left, Rsi) else "It contradicts itself"
            raise CannotReadError(f"{what}: it would buy and sell at the same values.")
