"""Who does what when: splits a description into its buying and its selling side."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from arena.llm.template.text import NUMBER, CannotReadError, Text

_KINDS = {
    "buy": r"buy|buys|buying|bought|long|enter|enters|purchase|purchases|accumulate|get in|own|owns"
    r"|hold|holds|stay in|invest|invests|bullish",
    "sell": r"sell|sells|selling|sold|exit|exits|close|closes|liquidate|liquidates|get out|flat"
    r"|dump|go to cash|move to cash|bearish",
    "std": rf"(?P<std_value>-?{NUMBER})[ -]?(?:std(?:ev|s|\.)?|sds?|sigmas?|standard[ "
    rf"-]deviations?)",
    "pct": rf"(?P<pct_value>[-+]?{NUMBER}) ?%",
    "num": rf"(?:\$ ?)?(?P<num_value>-?{NUMBER})(?: ?(?:dollars|usd|usdt))?",
    "band": r"(?P<band_value>upper|lower|middle|mid|top|bottom|centre|center)(?: "
    r"(?:bollinger )?bands?"
    r"| line)?|(?:the |its )(?P<mean_value>mean|average|moving average|sma)",
    "up": r"above|over|higher than|greater than|more than|exceeds?|upwards?|up|upside|rises?|"
    r"rose|rising"
    r"|climbs?|gains?|gained|increases?|increased|surpasses|highs?|overbought|>=|>|jumps|"
    r"recovers?|rebounds?|bounces?|golden cross(?:es)?|positive",
    "down": r"below|under|underneath|beneath|lower than|less than|downwards?|down|downside|"
    r"falls?|fell"
    r"|falling|drops?|dropped|dips?|declines?|declined|decreases?|loses|lost|lows?|oversold|<=|<"
    r"|negative|sinks|slips|death cross(?:es)?",
}
_EVENT = re.compile(
    "|".join(
        rf"(?P<{kind}>(?<![\w.]){pattern if kind != 'band' else f'(?:{pattern})'}(?!\w))"
        if kind in {"std", "pct", "num", "band"}
        else rf"(?P<{kind}>(?<!\w)(?:{pattern})(?!\w))"
        for kind, pattern in _KINDS.items()
    )
)
_JOINED = re.compile(r"\b(?:and|or|while|but|if|when|as|with|plus)\b")


@dataclass
class Clause:
    """What is said of one side: its direction, and the numbers and bands that belong to it."""

    up: bool | None = None
    nums: list[float] = field(default_factory=list)
    pcts: list[float] = field(default_factory=list)
    stds: list[float] = field(default_factory=list)
    bands: list[str] = field(default_factory=list)
    words: dict[str, list[str]] = field(default_factory=dict)
    end: int = -1


@dataclass
class Clauses:
    """Both sides, and what was said before either; a side that is None was never mentioned."""

    general: Clause
    buy: Clause | None
    sell: Clause | None

    def refuse_extras(self, *kinds: str) -> None:
        """Refuse numbers and bands of any kind but those the strategy reads."""
        every = [clause for clause in (self.general, self.buy, self.sell) if clause is not None]
        extra = [
            word for clause in every for kind, words in clause.words.items() if kind not in kinds for word in words
        ]
        if extra:
            raise CannotReadError("", *extra)


def take_clauses(text: Text) -> Clauses:
    """Use up the verbs, directions and numbers, each given to the side it belongs to."""
    before = text.left
    events = [(_kind(m), m) for m in _EVENT.finditer(before)]
    text.take_all(_EVENT.pattern)
    events = _untangled(events)
    clauses = Clauses(Clause(), None, None)
    side = clauses.general
    forward = _leads(events)
    waiting: list[tuple[str, re.Match[str]]] = []
    for kind, match in events:
        if kind in {"buy", "sell"}:
            side = _side(clauses, kind)
            for held in waiting:
                _attach(side, *held, before)
            waiting = []
        elif forward:
            waiting.append((kind, match))
        else:
            _attach(side, kind, match, before)
    return clauses


def take_words(text: Text) -> None:
    """Use up verbs, directions and numbers without reading them."""
    text.take_all(_EVENT.pattern)


def _kind(match: re.Match[str]) -> str:
    return next(kind for kind in _KINDS if match[kind] is not None)


def _leads(events: list[tuple[str, re.Match[str]]]) -> bool:
    """Tell whether conditions stand before their verbs: "above it, buy; below it, sell"."""
    kinds = [kind for kind, _ in events]
    verbs = {"buy", "sell"}
    return bool(kinds) and kinds[0] not in verbs and kinds[-1] in verbs


def _untangled(events: list[tuple[str, re.Match[str]]]) -> list[tuple[str, re.Match[str]]]:
    """Put "buy/sell when above/below" into the order buy, above, sell, below."""
    kinds = [kind for kind, _ in events]
    if len(kinds) == 4 and set(kinds[:2]) == {"buy", "sell"} and set(kinds[2:]) == {"up", "down"}:
        return [events[0], events[2], events[1], events[3]]
    return events


def _side(clauses: Clauses, kind: str) -> Clause:
    if kind == "buy":
        clauses.buy = clauses.buy or Clause()
        return clauses.buy
    clauses.sell = clauses.sell or Clause()
    return clauses.sell


def _attach(side: Clause, kind: str, match: re.Match[str], text: str) -> None:
    if kind in {"up", "down"}:
        _point(side, kind, match, text)
        return
    if kind == "band":
        word = match["band_value"] or "middle"
        side.bands.append({"mid": "middle", "top": "upper", "bottom": "lower"}.get(word, word))
        side.words.setdefault("bands", []).append(match[0])
        return
    values = {"num": side.nums, "pct": side.pcts, "std": side.stds}[kind]
    values.append(float(match[f"{kind}_value"]))
    side.words.setdefault(f"{kind}s", []).append(match[0].strip())


def _point(side: Clause, kind: str, match: re.Match[str], text: str) -> None:
    up = kind == "up"
    if side.up is not None:
        between = text[side.end : match.start()]
        if side.up is not up:
            raise CannotReadError(
                "It asks for two opposite things at once, so I cannot tell what it should do.",
                match[0],
            )
        if _JOINED.search(between):
            raise CannotReadError("It joins two conditions, and I can follow one condition for each side.", match[0])
    side.up = up
    side.end = match.end()
