"""Cuts a description into chunks of meaning, from left to right, so that no word is passed over.

A word that no pattern knows becomes a chunk `unknown`, and the grammar refuses the description with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from arena.llm.template.symbols import Symbols
from arena.llm.template.text import CannotReadError
from arena.llm.template.vocabulary import EMPTY_WORDS

N = r"(?:[0-9]{1,12}(?:\.[0-9]{1,10})?|\.[0-9]{1,10})(?![0-9.]*[0-9])"
TICKS = r"(?:ticks?|periods?|bars?|candles?|candlesticks?|steps?|samples?|points|prices)"
CLOCK = r"(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|[smhdw])"
UNIT = rf"(?:{TICKS}|{CLOCK})\b"
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_UP = r"(?:above|over|higher than|greater than|more than|north of|upside of|exceed(?:s|ing)?|surpass(?:es)?)"
_DOWN = r"(?:below|under(?:neath)?|beneath|lower than|less than|south of)"
_RISE = r"(?:ris(?:es?|en|ing)|rose|climb(?:s|ed|ing)?|gain(?:s|ed|ing)?|increas(?:es?|ed|ing)|jump(?:s|ed)?|rall(?:y|ies|ied)|pumps?)"
_FALL = (
    r"(?:fall(?:s|en|ing)?|fell|drop(?:s|ped|ping)?|dip(?:s|ped)?|declin(?:es?|ed|ing)|decreas(?:es?|ed|ing)"
    r"|los(?:es?|t)|slip(?:s|ped)?|sink(?:s)?|crash(?:es|ed)?|dumps?(?! (?:it|all|everything|my|the|when|if|at)\b)|tank(?:s)?)"
)
_BE = r"(?:(?:is|are|'s|was|stays?|trad(?:es|ing)|sits?|remains?|holds?|been|has been|currently) ?)"
_MOVE = rf"(?:clos(?:es?|ed|ing)|go(?:es|ing)?|went|gets?|moves?|moving|breaks?(?: out)?|breaking|pushes|comes?|{_RISE}|{_FALL}|returns?|turns?|bounces?)"
_AVERAGE = (
    r"(?:(?:exponential|simple|arithmetic|rolling|running|exponentially weighted)[ -])?"
    r"(?:(?:ema|sma|ma)s?(?![a-z])|(?:moving[ -]averages?|averages?|mean)\b)(?: ?\((?:ema|sma)\))?(?: lines?\b)?"
)
_STD = r"(?:std(?:ev|s|\.)?s?|sds?|sigmas?|standard[ -]deviations?|deviations?)\b"
_PER = rf"(?:[ -]?{UNIT})?"
_TIME = r"(?:[0-9]{1,2}(?::[0-9]{2})? ?(?:am|pm)|[0-9]{1,2}:[0-9]{2}|noon|midnight)(?: ?(?:utc|gmt))?"
_ENTRY = r"(?:the |my |our |its )?(?:entry|buy(?:ing)?|purchase|bought|entry price|cost)(?: price| level)?"
_LINK = (
    r"(?:(?:of|at|is|set|to|a|an|when|if|it|price|falls?|drops?|down|loses|by|with|the|=|:|position|after|on|,)\s?)*"
)
_CASH = (
    r"(?:of )?(?:(?:my|the|its|our|your|available|total|starting|current|whole|entire|remaining) )*"
    r"(?:cash|balance|equity|capital|portfolio|money|account|funds|bankroll)(?: balance| value)?"
)
_EACH = r"(?: (?:per|each|every) (?:trade|buy|order|time|entry|purchase|coin|symbol))?"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = r"(?:mon|tues?|wednes|wed|thurs?|thu|fri|satur|sat|sun)(?:days?)?"
# What turns hours and days round: "not on weekends", "no trades between 9am and 5pm".
_NOT_THEN = (
    r"(?P<no>(?:but |and )?(?:(?:not|never|except(?: for)?|excluding|other than)|no (?:trad(?:es?|ing)|orders?)"
    r"|(?:don'?t|do not|never) (?:trade|do anything)|avoid(?:ing)?(?: trad(?:es|ing))?)(?: (?:on|during|in|the))* )"
)


@dataclass(slots=True)
class Chunk:
    """One piece of meaning: what kind it is, its words, and its values."""

    kind: str
    text: str
    values: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)


Maker = Callable[[re.Match[str]], dict[str, Any]]


def _fixed(**values: Any) -> Maker:
    return lambda _match: values


def _number(match: re.Match[str], name: str = "n") -> float | None:
    found = match.groupdict().get(name)
    return float(found) if found else None


def _average(m: re.Match[str]) -> dict[str, Any]:
    words = m["average"]
    speed = m.groupdict().get("speed") or m.groupdict().get("speed2") or ""
    kind = "ema" if "ema" in words or "exponential" in words else "sma"
    given = m.groupdict()
    n = next((given[k] for k in ("n", "n1", "n2") if given.get(k)), None)
    unit = next((given[k] for k in ("u", "u1", "u2") if given.get(k)), None)
    return {
        "type": kind,
        "n": float(n) if n else None,
        "unit": unit,
        "speed": speed,
        "vague": bool(re.search("mean|average", words)) and "exp" not in words,
    }


def _pair(m: re.Match[str]) -> dict[str, Any]:
    words = m["average"]
    return {
        "type": "ema" if "ema" in words or "exp" in words else "sma",
        "a": float(m["a"]),
        "b": float(m["b"]),
        "unit": m["u"],
    }


def _dir(m: re.Match[str]) -> dict[str, Any]:
    return {"up": m["up"] is not None}


def _golden(m: re.Match[str]) -> dict[str, Any]:
    return {"up": m["up"] is not None, "a": m["a"] and float(m["a"]), "b": m["b"] and float(m["b"]), "type": "sma"}


def _time(text: str) -> int:
    if "noon" in text:
        return 720
    if "midnight" in text:
        return 0
    m = re.match(r"([0-9]{1,2})(?::([0-9]{2}))? ?(am|pm)?", text)
    assert m is not None
    hour, minute = int(m[1]), int(m[2] or 0)
    if not (1 <= hour <= 12 if m[3] else hour * 60 + minute <= 1440) or minute > 59:
        raise CannotReadError("There is no such time of day: write 9:30 or 5pm.", m[0].strip())
    if m[3]:
        hour = hour % 12 + (12 if m[3] == "pm" else 0)
    return hour * 60 + minute


def _days(m: re.Match[str]) -> dict[str, Any]:
    text = m[0]
    if "weekday" in text:
        found = [0, 1, 2, 3, 4]
    elif "weekend" in text:
        found = [5, 6]
    elif m["from"]:
        first, last = (_DAYS.index(m[part][:3]) for part in ("from", "to"))
        found = [(first + n) % 7 for n in range((last - first) % 7 + 1)]
    else:
        found = [day for day, name in enumerate(_DAYS) if re.search(rf"\b{name}", text)]
    days = set(range(7)) - set(found) if m["no"] else set(found)
    return {"days": tuple(sorted(days)), "no": bool(m["no"]), "both_sides": _is_of_trading(m)}


def _hours(m: re.Match[str]) -> dict[str, Any]:
    start, end = _time(m["a"] or m["c"]), _time(m["b"] or m["d"])
    if m["no"]:
        start, end = end, start
    return {"start": start, "end": end, "no": bool(m["no"]), "both_sides": _is_of_trading(m)}


def _is_of_trading(m: re.Match[str]) -> bool:
    """Say whether times hold for purchases and sales alike: "no trades on Fridays", "trade only on weekdays"."""
    clause = _CLAUSE.split(m.string[max(0, m.start() - 80) : m.start()])[-1]
    return re.search("trad|order|anything", f"{clause} {m['no'] or ''}") is not None


# What begins another clause than the one that a time stands in.
_CLAUSE = re.compile(r"[.;:,]|\b(?:buy|sell|exit|when|if)\w*")


def _percent(m: re.Match[str]) -> dict[str, Any]:
    return {"share": float(m["n"]) / 100, "up": m.groupdict().get("up") is not None}


_PATTERNS: list[tuple[str, str, Maker]] = [
    # -- how the market is looked at
    (
        "bar",
        rf"(?:(?:on|using|with|in|from|of|at|use) )?(?:the |a )?(?P<n>{N})[ -]?(?P<u>{CLOCK})[ -]?(?:bars?|candles?|candlesticks?|charts?|time ?frames?|data|closes|closing prices?|ohlc)\b(?: (?:chart|closes?|candles?))?",
        lambda m: {"seconds": float(m["n"]) * SECONDS[m["u"][0]]},
    ),
    (
        "bar",
        r"(?:(?:on|using|with|in|from|of|at|use) )?(?:the |a |an )?(?P<u>hour|dai|minute|week)(?:ly)? (?:bars?|candles?|candlesticks?|charts?|time ?frames?|data|closes)\b",
        lambda m: {"seconds": SECONDS[m["u"][0]]},
    ),
    (
        "bar",
        rf"(?:on (?:the |a )?)?(?P<n>{N}) ?(?P<u>min|h|hr|m|minute|hour) ?(?:tf)\b|time ?frame(?: of| is|:| =)? (?P<n2>{N}) ?(?P<u2>{CLOCK})\b",
        lambda m: {"seconds": float(m["n"] or m["n2"]) * SECONDS[(m["u"] or m["u2"])[0]]},
    ),
    (
        "ticklength",
        rf"(?:each|every|one|1|a|the) tick(?: interval| length)? (?:is|lasts?|=|takes?|of) (?:a |an )?(?P<n>{N})? ?(?P<u>{CLOCK})\b",
        lambda m: {"seconds": float(m["n"] or 1) * SECONDS[m["u"][0]]},
    ),
    # -- protective exits
    (
        "exit",
        rf"(?:trailing|trail)(?: (?:the|my|its|a|with a))?(?:[ -]stop)?(?:[ -]?loss)?,? {_LINK}(?P<n>{N}) ?%|(?P<n2>{N}) ?% (?:trailing|trail)(?:[ -]stop)?(?:[ -]?loss)?\b|stop(?:[ -]?loss)? {_LINK}(?P<n3>{N}) ?% trailing\b",
        lambda m: {"exit": "trail", "share": float(m["n"] or m["n2"] or m["n3"]) / 100},
    ),
    (
        "exit",
        rf"(?:stop[ -]?loss(?:es)?|stops?(?: out| order)?|sl|cut(?:ting|s)? (?:my |the |its )?loss(?:es)?)\b,? ?{_LINK}-?(?P<n>{N}) ?%(?: (?:below|under|from) {_ENTRY}| loss)?|(?P<n2>{N}) ?% (?:hard )?(?:stop[ -]?loss|stops?|sl)\b",
        lambda m: {"exit": "loss", "share": float(m["n"] or m["n2"]) / 100},
    ),
    (
        "exit",
        rf"(?:take[ -]?profits?|profit[ -](?:target|taking)|target(?: profit)?|tp|lock(?:ing)? in)\b,? ?{_LINK}\+?(?P<n>{N}) ?%(?: (?:profit|gain)s?)?(?: (?:above|over|from) {_ENTRY})?|(?P<n2>{N}) ?% (?:take[ -]?profit|profit target|target|tp)\b",
        lambda m: {"exit": "gain", "share": float(m["n"] or m["n2"]) / 100},
    ),
    (
        "exitmoney",
        rf"(?:stop[ -]?loss(?:es)?|stops?|sl|take[ -]?profits?|profit targets?|target|tp)\b(?= ?{_LINK}(?:(?:price|level|order|near|below|above|under|over|around) ?)*\$? ?{N}(?![0-9.]* ?%))",
        _fixed(),
    ),
    (
        "exitsignal",
        r"(?:stop[ -]?loss(?:es)?|stops?|sl|tak(?:e|ing)[ -]?profits?|profit targets?|target|tp)\b(?=,? (?:when|if|once|whenever|as soon|at|on|after|below|above)\b)",
        _fixed(),
    ),
    (
        "entered",
        rf"(?:(?:a|the|in|of|by) )*(?P<n>{N}) ?% (?:of )?(?:in )?(?:profit|gain)s?(?: (?:above|over|from) {_ENTRY})?\b|(?:(?:a|the) )?(?:profit|gain)s? (?:of|is|reaches|hits|exceeds|at|above|over) (?P<n2>{N}) ?%|(?:up |rises? |is |\+ ?)*(?P<n3>{N}) ?% (?:above|over|up from|higher than|from) {_ENTRY}\b|\+ ?(?P<n4>{N}) ?%|(?:is |up )*(?P<n5>{N}) ?% in profit",
        lambda m: {"entered": "gain", "share": float(m["n"] or m["n2"] or m["n3"] or m["n4"] or m["n5"]) / 100},
    ),
    (
        "entered",
        rf"(?:(?:a|the|in|of|by) )*(?P<n>{N}) ?% (?:of )?(?:loss(?:es)?|drawdown)\b|(?:(?:a|the) )?loss(?:es)? (?:of|is|reaches|hits|exceeds|at|above|over) (?P<n2>{N}) ?%|(?:down |falls? |drops? |is )*(?P<n3>{N}) ?% (?:below|under|down from|lower than) {_ENTRY}\b",
        lambda m: {"entered": "loss", "share": float(m["n"] or m["n2"] or m["n3"]) / 100},
    ),
    # -- clock and calendar
    (
        "hours",
        rf"{_NOT_THEN}?(?:only |but )?(?:(?:between|from) (?P<a>{_TIME}) ?(?:and|to|until|till|-) ?(?P<b>{_TIME})|(?P<c>{_TIME}) ?(?:to|until|till|-) ?(?P<d>{_TIME}))",
        _hours,
    ),
    (
        "time",
        r"(?:at |around )?(?P<a>[0-9]{1,2}(?::[0-9]{2})? ?(?:am|pm)|noon|midnight)(?: ?(?:utc|gmt))?\b|at (?P<b>[0-9]{1,2}:[0-9]{2})(?: ?(?:utc|gmt))?\b|(?P<c>[0-9]{1,2}:[0-9]{2}) ?(?:utc|gmt)\b",
        lambda m: {"minute": _time(m["a"] or m["b"] or m["c"])},
    ),
    (
        "days",
        rf"{_NOT_THEN}?(?:only |but )?(?:(?:on|every|each|during|from|between) )?(?:the )?(?:(?P<from>{_DAY}) ?(?:to|through|thru|until|till|-) ?(?P<to>{_DAY})|(?:{_DAY}(?:(?: ?, ?| and | or | & ){_DAY})*)(?<=day|ays)|weekdays?|weekends?)\b(?: only\b)?",
        _days,
    ),
    # -- indicators
    ("histogram", r"(?:the )?(?:macd )?histogram\b", _fixed()),
    (
        "golden",
        rf"(?:a |the |on )?(?:(?P<a>{N}) ?/ ?(?P<b>{N}) )?(?P<up>golden|bullish) cross(?:es|over|overs|ing)?\b",
        _golden,
    ),
    (
        "golden",
        rf"(?:a |the |on )?(?:(?P<a>{N}) ?/ ?(?P<b>{N}) )?(?:death|bearish)(?P<up>(?!)x)? cross(?:es|over|overs|ing)?\b",
        _golden,
    ),
    ("reversion", r"mean[- ]?rever\w+|rever(?:sion|ting)\b|reverts?(?: to(?: the| its)? mean)?\b", _fixed()),
    (
        "pair",
        rf"(?P<a>{N}) ?(?:/|-|x|and|vs\.?|versus|over|,|&) ?(?P<b>{N})[ -]?(?P<u>{UNIT})?[ -]?(?P<average>{_AVERAGE})",
        _pair,
    ),
    (
        "pair",
        rf"(?P<average>{_AVERAGE})s? ?\(?(?:of |with |periods? )?(?P<a>{N}) ?(?:/|-|x|and|vs\.?|versus|over|,|&|\s) ?(?P<b>{N})\)?(?! ?(?:%|std|stand|sig))(?P<u>[ -]?{UNIT})?",
        _pair,
    ),
    (
        "average",
        rf"(?:(?P<speed>fast|slow|short|long|faster|slower|shorter|longer)(?:er)?(?:[ -]term)?[ -])?(?P<n>{N})(?:[ -]?(?P<u>{UNIT}))?[ -]?(?P<average>{_AVERAGE})(?! cash)",
        _average,
    ),
    (
        "average",
        rf"(?:(?P<speed>fast|slow|short|long|faster|slower|shorter|longer)(?:er)?(?:[ -]term)? )?(?P<average>{_AVERAGE})(?: ?\( ?(?P<n>{N})(?: ?(?P<u>{UNIT}))? ?\)| ?-? ?(?:of (?:the )?(?:last )?|over (?:the )?(?:last )?|with (?:a )?|period |length |window |= ?)*(?P<n2>{N})(?![0-9.]*%| ?%| ?(?:std|stand|sig))(?:[ -]?(?P<u2>{UNIT}))?)?",
        _average,
    ),
    (
        "rsi",
        rf"(?:(?P<n>{N})[ -]?(?P<u>{UNIT})?[ -]?)?(?:rsi|relative strength(?: index)?)\b(?: ?\( ?(?P<n1>{N})(?: ?{TICKS})? ?\)| (?:with )?(?:a )?(?:period|length)(?: of)? (?P<n2>{N})| (?:over|of) (?P<n3>{N}) {TICKS})?|rsi(?P<n4>{N})",
        lambda m: {"n": next((float(m[k]) for k in ("n", "n1", "n2", "n3", "n4") if m[k]), None), "unit": m["u"]},
    ),
    (
        "macd",
        rf"macd(?: lines?| oscillator)?(?: ?\(? ?(?P<a>{N}) ?(?:,|/|-|\s) ?(?P<b>{N}) ?(?:,|/|-|\s) ?(?P<c>{N}) ?\)?)?(?: lines?\b)?",
        lambda m: {"a": m["a"] and float(m["a"]), "b": m["b"] and float(m["b"]), "c": m["c"] and float(m["c"])},
    ),
    ("signal", r"(?:its |the )?(?:macd )?signal lines?\b|(?:its |the )?signal\b(?! (?:to|is|of|when|bot))", _fixed()),
    (
        "band",
        r"(?:the |its )*(?P<which>upper|lower|middle|mid|top|bottom|cent(?:re|er))(?: (?:bollinger|bb))? ?(?:bands?|lines?)?\b(?! channel| donchian)",
        lambda m: {"which": {"upper": 1, "top": 1, "lower": -1, "bottom": -1}.get(m["which"], 0)},
    ),
    (
        "bollinger",
        rf"(?:(?P<n>{N})(?: ?[,/] ?(?P<w>{N}))?[ -]?(?:{TICKS})?[ -])?(?:bollinger(?:'s)?|bbands?|bb)(?: bands?)?\b(?: ?\(? ?(?P<a>{N})(?: {TICKS})? ?(?:,|/|\s) ?(?P<b>{N})(?: ?{_STD})? ?\)?)?",
        lambda m: {
            "n": _number(m) or (m["a"] and float(m["a"])) or None,
            "width": float(m["w"] or m["b"] or 0) or None,
        },
    ),
    (
        "extreme",
        rf"(?:(?:new|recent|previous|prior|last) )*(?P<n>{N})[ -]?(?P<u>{UNIT})[ -]?(?:new )?(?P<which>highs?|lows?|maxim(?:um|a)|minim(?:um|a)|max|min)\b(?: prices?)?(?! break)",
        lambda m: {"n": float(m["n"]), "unit": m["u"], "high": m["which"][:2] in {"hi", "ma"}},
    ),
    (
        "extreme",
        rf"(?P<which>highest|lowest|highs?|lows?|maximum|minimum|max|min)(?: prices?| highs?| lows?| closes?)?(?: (?:of|over|in|from|for|within))(?: the)?(?: last| past| previous| prior| preceding)? (?P<n>{N})[ -]?(?P<u>{UNIT})",
        lambda m: {"n": float(m["n"]), "unit": m["u"], "high": m["which"][:2] in {"hi", "ma"}},
    ),
    (
        "extreme",
        r"(?:(?:a|the|its) )?(?:(?:new|recent|previous|prior|last) )+(?P<which>highs?|lows?)\b|(?P<which2>upper|lower) (?:donchian )?channel(?: line)?\b|(?:donchian|channel) (?P<which3>high|low|top|bottom)\b",
        lambda m: {"n": None, "unit": None, "high": (m["which"] or m["which2"] or m["which3"])[:1] in {"h", "u", "t"}},
    ),
    (
        "breakout",
        rf"(?P<n>{N})[ -]?(?P<u>{UNIT})[ -](?:(?P<which>high|low|channel|donchian|price) )?break-?outs?\b(?: strategy)?",
        lambda m: {"n": float(m["n"]), "unit": m["u"], "low": m["which"] == "low"},
    ),
    (
        "breakout",
        rf"(?:(?P<n>{N})[ -]?(?P<u>{UNIT})[ -])?(?:donchian(?: channels?)?|price channel|channel|turtle(?: trading| trader)?)(?: break-?outs?)?(?: ?\(? ?(?P<n2>{N})(?![0-9.]*%| ?%) ?\)?(?:[ -]?(?P<u2>{UNIT}))?)?",
        lambda m: {
            "n": float(m["n"] or m["n2"]) if m["n"] or m["n2"] else None,
            "unit": m["u"] or m["u2"],
            "low": False,
        },
    ),
    ("breakout", r"break-?outs?\b", _fixed(n=None, unit=None, low=False)),
    ("score", r"z[- ]?scores?(?: of(?: the| its)? (?:price|ratio))?\b|z\b", _fixed()),
    (
        "momentum",
        rf"momentum(?: strategy)?(?: ?\( ?(?P<n>{N}) ?\))?|(?:rate of change|roc)\b(?: ?\(? ?(?P<n2>{N}) ?\)?)?(?: roc ?\( ?(?P<n3>{N}) ?\))?",
        lambda m: {"n": next((float(m[k]) for k in ("n", "n2", "n3") if m[k]), None)},
    ),
    ("volume", r"(?:the )?(?:vwap|volume[- ]weighted\w*|volumes?|obv|mfi|volume profile)\b", _fixed()),
    (
        "ohlc",
        r"(?:the )?(?:ichimoku(?: cloud)?|kumo|tenkan|kijun|stochastic(?:s)?|stoch|adx|atr|average true range|supertrend|parabolic sar|psar|keltner|heikin[- ]?ashi|cci|williams %?r?|pivot points?|fibonacci|fib|order ?book|open interest|funding rate)\b",
        _fixed(),
    ),
    (
        "session",
        r"(?:(?:at|on|near|before|after|around|until|till) )?(?:the |each |every )?(?:daily |next )?(?:(?:market|trading|session|day|us|nyse|exchange|wall street)(?:'s)? ?(?:open(?:ing)?s?|clos(?:es?|ing)|hours|session)(?: bell)?(?! prices?| (?:above|below|over|under)\b)|(?:opening|closing) bell|open of the (?:market|day|session))\b|(?:at|on) (?:the )?open(?:ing)?\b",
        _fixed(),
    ),
    (
        "zoned",
        r"(?:est|edt|cet|cest|pst|pdt|cst|bst|jst|local time|(?:new york|ny|london|tokyo|frankfurt|eastern|pacific)(?: time)?)\b",
        _fixed(),
    ),
    # -- numbers with a meaning
    (
        "deviations",
        rf"-?(?P<n>{N})[ -]?{_STD}(?: (?:(?P<up>{_UP})|(?P<down>{_DOWN}))\b)?|(?:band )?width(?: of| is| =|:)? ?(?P<n2>{N})(?! ?%)",
        lambda m: {
            "n": float(m["n"] or m["n2"]),
            "up": None if not (m["up"] or m["down"]) else m["up"] is not None,
            "minus": m[0].startswith("-"),
        },
    ),
    (
        "move",
        rf"(?:{_BE}|goes |go |went |gone |moves? |moved )*(?:(?P<up>up)|down)(?: (?:by|more than|at least|over))* (?P<n>{N}) ?%",
        lambda m: {**_percent(m), "state": True},
    ),
    (
        "move",
        rf"(?:has |have )?(?:(?P<up>{_RISE})|{_FALL})(?: (?:by|more than|at least|over|a))* (?P<n>{N}) ?%(?! (?:below|above|under|over)\b)",
        # "Gains 1%" is measured from what was paid, as "is up 1%" is.
        lambda m: {**_percent(m), "state": "gain" in m[0]},
    ),
    (
        "move",
        rf"(?:(?:a|an|any|every) )?(?P<n>{N}) ?%(?: price)? (?:(?P<up>rise|rally|jump|increase|upmove|pump|climb)|(?:drop|fall|dip|decline|decrease|crash|dump|pullback|correction|sell-?off))s?\b",
        lambda m: {**_percent(m), "state": False},
    ),
    (
        "moved",
        rf"(?:{_RISE}|{_FALL}|(?:goes |go |moves? |is |are )?(?:up|down))(?: (?:by|more than|at least|another|a))* (?:\$ ?{N}|{N} ?(?:dollars?|usd[tc]?|bucks|points)\b)(?! (?:or more )?of\b)",
        _fixed(),
    ),
    # "Buy back 2% lower": neither a band nor a size.
    (
        "apart",
        rf"(?P<n>{N}) ?% (?:lower|higher|cheaper|dearer|deeper|more expensive)\b(?! than\b| (?:bollinger|bb|bands?|line)\b)",
        _fixed(),
    ),
    ("offset", rf"(?P<n>{N}) ?% (?:or more )?(?:(?P<up>{_UP})|{_DOWN}|off)\b", _percent),
    # -- sizes
    (
        "risk",
        rf"(?:(?:with|using|use|at) )?(?:(?:a |an )?(?:max(?:imum)? )?risk(?:s|ing)?\b(?: (?:of|is|=))* (?:per (?:trade|order|position)|\$? ?{N} ?%?)|\$? ?{N} ?% (?:max(?:imum)? )?risk\b)",
        _fixed(),
    ),
    ("currency", r"(?:euros?|eur|pounds?|gbp|yen|jpy|francs?|chf|rupees?|inr)\b", _fixed()),
    ("scaled", rf"(?:per|for (?:each|every)) (?:\$ ?{N}|{N} ?%|{N} dollars?)", _fixed()),
    (
        "size",
        rf"(?:(?:with|using|use|invest(?:s|ing)?|put(?:ting)?|spend(?:ing)?|for|at) )?(?P<n>{N}) ?% {_CASH}{_EACH}(?: (?:in|on|to|for) each(?: trade)?)?",
        lambda m: {"size": "cash", "n": float(m["n"]) / 100},
    ),
    (
        "size",
        rf"(?:(?:with|using|use) )?(?:a |1 )?(?P<w>half|third|quarter|tenth|fifth) {_CASH}{_EACH}",
        lambda m: {
            "size": "cash",
            "n": {"half": 0.5, "third": 1 / 3, "quarter": 0.25, "tenth": 0.1, "fifth": 0.2}[m["w"]],
        },
    ),
    (
        "size",
        rf"(?:(?:with|using|use|go|going) )?(?:all[ -]in|(?:all|entire|whole|full)(?: of)? {_CASH}|everything (?:i|it|we) ha(?:ve|s))\b",
        _fixed(size="cash", n=1.0),
    ),
    (
        "size",
        rf"(?:(?:position|order|trade|lot) )?siz(?:e|ing)s?(?: of| is| =|:)? (?P<n>{N}) ?%(?: {_CASH})?",
        lambda m: {"size": "cash", "n": float(m["n"]) / 100},
    ),
    (
        "size",
        rf"(?:with|using|use|allocat(?:e|ing)|invest(?:s|ing)?|spend(?:s|ing)?|put(?:ting)?) (?P<n>{N}) ?%(?! (?:of|risk|stop|take|trailing|profit|tp|sl|target|below|above|rise|drop|fall|gain|loss))",
        lambda m: {"size": "cash", "n": float(m["n"]) / 100},
    ),
    (
        "size",
        rf"(?:(?:with|using|use|for|spend(?:ing)?|size(?: of| is|:)?|worth) )*(?:\$ ?(?P<n>{N})|(?P<n2>{N}) ?(?:dollars?|usd[tc]?|bucks)\b)(?: ?(?:dollars?|usd[tc]?))?(?: worth)?(?: of\b)?{_EACH}",
        lambda m: {"size": "money", "n": float(m["n"] or m["n2"])},
    ),
    (
        "size",
        rf"(?:(?:with|using|use|size(?: of| is|:)?) )*(?P<n>{N})[ -]?(?:units?|coins?|shares?|contracts?|tokens?)\b(?: of\b)?{_EACH}",
        lambda m: {"size": "units", "n": float(m["n"])},
    ),
    (
        "naked",
        rf"(?:(?:position|order|trade|lot|fixed) )*(?:siz(?:e|ing)s?|quantit(?:y|ies)|qty|amounts?)(?: of| is| =|:)? (?P<n>{N})\b(?! ?%)",
        lambda m: {"n": float(m["n"])},
    ),
    (
        "share",
        rf"(?P<half>half)(?: (?:of )?(?:it|the position|my position|its position|position|of it))?\b|(?P<n>{N}) ?%(?: of (?:it|the position|my position|the holding|holdings))\b|(?P<third>a third|1 third|third)\b(?: of (?:it|the position))?",
        lambda m: {"share": 0.5 if m["half"] else 1 / 3 if m["third"] else float(m["n"]) / 100},
    ),
    ("rest", r"(?:and )?(?:the )?(?:rest|remainder|remaining(?: half)?|other half)\b", _fixed()),
    # -- windows and periods
    (
        "window",
        rf"(?:(?:over|in|within|during|across|for|of) )?(?:the |a |an )?(?:(?:last|past|previous|prior|preceding|trailing|rolling) )+(?P<n>{N})[ -]?(?P<u>{UNIT})(?: window| period)?",
        lambda m: {"n": float(m["n"]), "unit": m["u"]},
    ),
    (
        "window",
        rf"(?:over|in|within|during|across) (?:the |a |an )?(?P<n>{N})[ -]?(?P<u>{UNIT})(?: window| period| lookback)?",
        lambda m: {"n": float(m["n"]), "unit": m["u"]},
    ),
    ("lasting", r"for the (?:first|second|third|last) time\b", _fixed()),
    (
        "often",
        (
            r"(?:(?:only|just|exactly|at most|no more than|but|not more than|single) )+(?:once|(?:1|one) (?:single )?time)\b"
            r"|once(?= (?:only|when|if|at|per|each|every|and|then|in|today)\b| ?(?:[.;,:)]|$))"
            r"|(?:the )?(?:very )?(?:first|second|third|last|next) time\b"
        ),
        _fixed(),
    ),
    (
        "lasting",
        rf"(?:for|after|every|wait(?:s|ing)?|at least|until) (?:the next |at least )?(?P<n>{N})[ -]?(?P<u>{UNIT})",
        _fixed(),
    ),
    (
        "period",
        rf"(?:(?:with|using|use) )?(?:(?:a|an|the) )?(?:time )?(?:periods?|lengths?|look-?backs?|windows?|look back)(?: (?:size|length|period|window))?(?: of| is| =|:|=| to)? ?(?P<n>{N})(?:[ -]?(?P<u>{UNIT}))?",
        lambda m: {"n": float(m["n"]), "unit": m["u"]},
    ),
    (
        "period",
        rf"(?:with |using )?(?:a |an )?(?P<n>{N})[ -]?(?P<u>{UNIT})(?: (?:window|period|lookback|look-back)s?)?",
        lambda m: {"n": float(m["n"]), "unit": m["u"]},
    ),
    (
        "levels",
        rf"(?:(?:with )?(?:levels?|thresholds?)(?: of|:)? )?(?P<a>{N}) ?(?:/|-) ?(?P<b>{N})(?! ?%)(?: levels?| thresholds?)?|(?:with )?(?:levels?|thresholds?)(?: of|:| at)? (?P<c>{N}) (?:and|,) (?P<d>{N})",
        lambda m: {"a": float(m["a"] or m["c"]), "b": float(m["b"] or m["d"])},
    ),
    # -- relations
    (
        "opposite",
        r"(?:(?:but|and) )?(?:(?:on|at|in|upon|with) )?(?:the |an? )?(?:opposite|reverse[ds]?|inverse[ds]?|inverted|contrary|other)(?: (?:cross(?:[ -]?over)?|signals?|way(?: a?round)?|directions?|case|condition|side|happens|crossing))?(?: (?:of|to))?\b|vice versa\b|(?:when|if|once) (?:the )?(?:opposite|reverse) (?:happens|occurs)",
        _fixed(),
    ),
    (
        "otherwise",
        r"(?:or )?(?:otherwise|else|if not|when not)(?: (?:sell|exit|close|go flat|flat|stay (?:out|flat|in cash)|be (?:out|flat|in cash)|stay out of (?:it|the market)|go to cash|cash|be in cash|hold cash|sell it|be out))?\b",
        _fixed(),
    ),
    ("fade", r"(?:fade|fades|fading|bet against|trade against|against)\b", _fixed()),
    (
        "cross",
        r"(?:cross(?:es|ed|ing)?|cuts?|intersects?)(?: back)?(?: up| upwards?| down| downwards?)?(?: and closes?)? (?:(?P<up>above|over)|below|under(?:neath)?|beneath)\b",
        _dir,
    ),
    (
        "cross",
        r"(?:cross(?:es|ed|ing)?|cuts?|intersects?)(?: back)? (?:(?P<up>up(?:wards?)?)|down(?:wards?)?)(?: (?:through|past))?\b",
        _dir,
    ),
    ("cross", r"cross(?:es|ed|ing)?(?: through)?(?: back)?\b(?! ?-?over)", _fixed(up=None)),
    ("crossing", r"(?:price )?cross(?:es)?[ -]?overs?\b|crossings?\b|crosses\b", _fixed()),
    ("from", r"from (?:(?P<up>below|beneath|under(?:neath)?)|above|over)\b", _dir),
    (
        "direction",
        r"(?:(?P<up>upwards?|to the upside|on the upside)|downwards?|to the downside|on the downside)\b",
        _dir,
    ),
    (
        "target",
        rf"(?:(?:back )?(?:(?P<up>(?:{_RISE}|goes up|go up|gets up|moves? up|comes? up|is up|back up|up))|(?:{_FALL}|goes down|go down|comes? down|moves? down|is down|back down|down))(?: back)?(?: up| down)?) to\b",
        lambda m: {**_dir(m), "kind": "to"},
    ),
    (
        "at",
        r"(?:hits?|reach(?:es|ed)?|touch(?:es|ed|ing)?|tests?|(?:goes|go|gets?|comes?|moves?|returns?|reverts?|is|'s|it's)(?: back)? (?:to|at)|back (?:at|to)|trades? at|arrives at|equals)\b",
        _fixed(touch=True),
    ),
    (
        "between",
        rf"(?:{_BE})?between \$? ?(?P<a>{N}) ?(?:%|dollars?)? ?(?:and|to|-) ?\$? ?(?P<b>{N})(?! ?%)(?! ?{TICKS}\b)",
        lambda m: {"a": float(m["a"]), "b": float(m["b"])},
    ),
    (
        "beyond",
        rf"(?:{_BE})?(?:>=|=>) ?|(?:{_BE})?(?:greater|more|higher|larger) than or equal(?: to)?\b|(?:{_BE}|{_MOVE} )?at (?:or above|least)\b",
        _fixed(up=True, moving=False, inclusive=True),
    ),
    (
        "beyond",
        rf"(?:{_BE})?(?:<=|=<) ?|(?:{_BE})?(?:less|lower|smaller) than or equal(?: to)?\b|(?:{_BE}|{_MOVE} )?at (?:or below|most)\b",
        _fixed(up=False, moving=False, inclusive=True),
    ),
    (
        "beyond",
        rf"(?P<move>{_MOVE} )(?:back )?(?:up |down |out )?(?:(?P<up>{_UP})|{_DOWN})\b",
        lambda m: {**_dir(m), "moving": True},
    ),
    (
        "beyond",
        r"(?:breaks?|breaking|clears?|breaches?|takes out)(?: out)?(?: of| through)?(?= )",
        _fixed(up=None, moving=False),
    ),
    ("beyond", rf"(?:{_BE})?(?:back )?(?:(?P<up>{_UP}|>)|{_DOWN}|<)(?![a-z])", lambda m: {**_dir(m), "moving": False}),
    (
        "turn",
        rf"(?:(?P<event>starts? (?:to )?|begins? (?:to )?|turns?(?: to)? |turning )|{_BE})?(?:(?P<up>{_RISE}|going up|go(?:es)? up|went up|trending up(?:wards?)?|slop(?:es|ing) up(?:wards?)?|points? up|upwards?|up|positive(?: slope)?|higher|bullish)|(?:{_FALL}|going down|go(?:es)? down|went down|trending down(?:wards?)?|slop(?:es|ing) down(?:wards?)?|points? down|downwards?|down|negative(?: slope)?|lower|bearish))\b",
        lambda m: {"up": m["up"] is not None, "event": m["event"] is not None},
    ),
    (
        "still",
        rf"(?:{_BE})?(?:flat|sideways|ranging|stable|unchanged|quiet|choppy|constant)(?= (?:over|within|for|in|during)|$| ?[,.;])",
        _fixed(),
    ),
    ("zone", rf"(?:{_BE})?(?:in )?(?:(?P<up>overbought)|oversold)(?: territory| zone| levels?)?\b", _dir),
    (
        "at",
        r"at (?=(?:the |a |an |its |\$)?(?:upper|lower|middle|mid\b|mean|average|\$?[0-9.]+(?= ?(?:,|;|$|and\b|sell|buy|or\b|\.(?: |$)|with|when|dollars|usd))|rsi|oversold|overbought))",
        _fixed(touch=False),
    ),
    (
        "at",
        rf"at (?=(?:the |a |an |its )?(?:{N}[ -]?(?:{UNIT})?[ -]?{_AVERAGE}(?! ?cross)|{_AVERAGE} ?\(? ?{N}(?: ?{UNIT})? ?\)?(?! ?cross)|{_AVERAGE}(?! ?\(?[0-9]| ?cross)))",
        _fixed(touch=False),
    ),
    # -- who does what
    (
        "short",
        r"(?:go(?:es|ing)? |sell )?short(?:s|ing|ed)?(?:[ -](?:selling|sell|side|position))?\b|long ?(?:/|and|or) ?short\b|short ?(?:/|and|or) ?long\b",
        _fixed(),
    ),
    (
        "both",
        r"buy ?(?:/|&) ?sell\b|buy(?:s|ing)? and sell(?:s|ing)?(?= (?:when|on|at|if|it)\b(?! (?:price|it)))",
        _fixed(),
    ),
    (
        "own",
        r"(?:own|hold|stay(?: in| long)?|be (?:in|long)|keep|remain(?: in| long)|stay invested(?: in)?)s?\b(?=[^.;]{0,40}\b(?:when|while|whenever|if|as long as|above|below|only)\b)",
        _fixed(),
    ),
    (
        "sell",
        r"(?:sell(?:s|ing)?|sold|exit(?:s|ing)?|liquidat(?:e|es|ing)|get(?:s|ting)? out|dumps?(?= (?:it|all|everything|my|the|when|if|at)\b)|go(?:es)? to cash|move(?:s)? to cash|unload|offload|close(?:s)?(?= (?:it|the|my|position|positions|out|trade|when|if|on|at|after|once|all|everything)\b(?! or))|flat(?= (?:below|under|above|over|when|if)))(?: out| off)?(?: of)?(?: (?:the |my |its |our )?(?:position|trade|holding|coins?|stack))?(?: (?:it|it all|all|everything|all of it|the lot))?\b",
        _fixed(),
    ),
    (
        "buy",
        r"(?:buy(?:s|ing)?(?: in| back)?|bought|go(?:es|ing)? long(?: on)?|long|enter(?:s|ing)?(?: long| a long| a position| the market)?|purchas(?:e|es|ing)|accumulat(?:e|es)|get in|open(?:s)? (?:a )?(?:long|position))\b",
        _fixed(),
    ),
    ("now", r"(?:now|immediately|right away|at once|straight away|at the start)\b", _fixed()),
    (
        "never",
        r"(?:don'?t|do not|does not|doesn'?t|dont|never|not|no|unless|without|except|excluding|instead(?: of)?|avoid(?:ing)?|ignore|isn'?t|aren'?t|cannot|can'?t|won'?t|neither|nor|hardly|rather than|until|till)\b",
        _fixed(),
    ),
    (
        "allsymbols",
        r"(?:(?:for|on|in|across|trade|with) )?(?:both|every|each|all)(?: of)?(?: the)? (?:coins?|symbols?|assets?|markets?|pairs?|tokens?|cryptos?|cryptocurrenc(?:y|ies))\b(?: equally)?",
        lambda m: {"both": "both" in m[0]},
    ),
    (
        "when",
        r"(?:when(?:ever)?|if|once|as soon as|while|as long as|upon|where|after|every time|each time|only (?:when|if))\b",
        _fixed(),
    ),
    (
        "and",
        r"(?:and(?: also| (?P<then>then|later|afterwards))?|&|plus|as well as|but(?: only)?(?: if| when)?|provided(?: that)?|given(?: that)?)(?![a-z])(?: (?:if|when|only if|only when)\b)?",
        lambda m: {"then": m["then"] is not None},
    ),
    ("or", r"or(?: else)?(?: if| when)?\b", _fixed()),
    ("versus", r"(?:vs\.?|versus|against)\b|/", _fixed()),
    (
        "price",
        r"(?:the |its |current |latest |last |spot |market )*(?:closing |close )?(?:prices?|close|market|value)\b(?: of)?",
        _fixed(),
    ),
    ("it", r"(?:it|they|that|this|them|itself)\b(?:'s)?", _fixed()),
    ("zero", r"(?:the )?(?:zero|0)(?: line)?\b(?!\.)", _fixed()),
    ("percent", rf"(?P<n>{N}) ?%", lambda m: {"n": float(m["n"]) / 100}),
    (
        "number",
        rf"\$ ?(?P<n>{N})\b(?: ?(?:dollars|usd[tc]?))?(?! ?%)|(?P<n2>-?{N})(?: ?(?:dollars|usd[tc]?)\b)?(?! ?%)(?![a-z0-9])",
        lambda m: {"n": float(m["n"] or m["n2"])},
    ),
]
_WORD = re.compile(r"\$?[0-9][\w.]*%?|[^\W\d_][\w']*|[^\s\w]")
_SIZED = re.compile(
    rf"(?:(?:with|using|use|(?:position |order |trade )?size(?: of| is|:)?) )*(?P<n>{N}) ?(?:units? of |of )?"
)
# Half a coin, as "1/2 BTC".
_FRACTION = re.compile(r"(?P<n>[1-9]) ?/ ?(?P<of>[2-9]|10) (?:of )?(?:an? )?")


@cache
def _compiled() -> list[tuple[str, re.Pattern[str], Maker]]:
    """Return the patterns, made when the first description is read: they take a fifth of a second."""
    return [(kind, re.compile(pattern), make) for kind, pattern, make in _PATTERNS]


def _amount(match: re.Match[str]) -> float:
    return float(match["n"]) / float(match.groupdict().get("of") or 1)


# "Over" that begins a span of time and compares nothing: "over the last 20 ticks", but "over the 20-tick EMA".
_SPAN = re.compile(
    rf"\bover (?=(?:the |a )?(?:(?:last|past|previous|prior) )?{N}[ -]?{UNIT}"
    r"(?![ -]?(?:simple|exp|ema|sma|ma\b|moving|average|mean|high|low|rsi|max|min)))"
)


_PART = re.compile(rf"(?:(?:with|using|use|invest|spend|put) )?{N} ?% of (?:(?:my|the|its|all) )*")
_COMPARING = frozenset({"beyond", "cross", "target", "at"})
_LEVEL = re.compile(rf"\$ ?(?P<n>{N})(?: ?(?:dollars|usd[tc]?))?\b|(?P<n2>{N}) ?(?:dollars|usd[tc]?|bucks)\b")


def _level(text: str, position: int) -> tuple[Chunk, int] | None:
    match = _LEVEL.match(text, position)
    if match is None:
        return None
    return Chunk("number", match[0], {"n": float(match["n"] or match["n2"])}), match.end()


def lex(text: str, symbols: Symbols) -> list[Chunk]:
    """Return the chunks of a normalised text, in order."""
    symbol = re.compile(symbols.pattern)
    ratio = re.compile(
        rf"(?:the )?({symbols.pattern}) ?(?:/|-|to|vs\.?|over) ?({symbols.pattern})(?: (?:price )?(?:ratio|spread))?|(?:the )?ratio of ({symbols.pattern}) (?:to|and|over) ({symbols.pattern})"
    )
    text = re.sub(r"\b(in|within|over|during|per) an? (?=(?:second|minute|hour|day|week)\b)", r"\1 1 ", text)
    text = _SPAN.sub("within ", text)
    chunks: list[Chunk] = []
    position = 0
    while position < len(text):
        sign = text[position] in "-+" and text[position + 1 : position + 2].isdigit()
        if text[position].isspace() or (text[position] in "()'\"\x00=+-" and not sign):
            position += 1
            continue
        if text[position] in ",;.:":
            chunks.append(Chunk("stop", text[position]))
            position += 1
            continue
        # "$500" is a size, but a level behind "below".
        level = _level(text, position) if chunks and chunks[-1].kind in _COMPARING else None
        part = None if chunks and chunks[-1].kind == "sell" else _part_of_coin(text, position, symbol)
        found, end = level or part or _next(text, position, symbol, ratio, symbols)
        if found is not None:
            chunks.append(found)
        position = end
    return chunks


def _part_of_coin(text: str, position: int, symbol: re.Pattern[str]) -> tuple[Chunk, int] | None:
    """Return "5% of my BTC" where nothing is sold: it says of no money how much to buy."""
    match = _PART.match(text, position)
    coin = symbol.match(text, match.end()) if match else None
    return (Chunk("ofcoin", text[position : coin.end()]), coin.end()) if coin else None


def _next(
    text: str, position: int, symbol: re.Pattern[str], ratio: re.Pattern[str], symbols: Symbols
) -> tuple[Chunk | None, int]:
    found = ratio.match(text, position)
    if found:
        first, second = (found[1] or found[3]), (found[2] or found[4])
        pair = {"first": symbols.meant(first), "second": symbols.meant(second)}
        if pair["first"] != pair["second"]:
            return Chunk("ratio", found[0], dict(pair)), found.end()
    for pattern in (_FRACTION, _SIZED):
        sized = pattern.match(text, position)
        coin = symbol.match(text, sized.end()) if sized else None
        if sized and coin and not re.match(r" ?%", text[coin.end() :]):
            each = re.compile(_EACH).match(text, coin.end())
            end = each.end() if each else coin.end()
            values: dict[str, Any] = {"size": "units", "n": _amount(sized), "symbol": symbols.meant(coin[0])}
            return Chunk("size", text[position:end].strip(), values), end
    coin = symbol.match(text, position)
    if coin:
        return Chunk("symbol", coin[0], {"symbol": symbols.meant(coin[0])}), coin.end()
    at_word = position == 0 or not (text[position - 1].isalnum() and text[position].isalnum())
    best: tuple[str, re.Match[str], Maker] | None = None
    for kind, pattern, make in _compiled() if at_word else ():
        match = pattern.match(text, position)
        if match and match.end() > position:
            best = (kind, match, make)
            break
    if best:
        kind, match, make = best
        return Chunk(kind, match[0].strip(), make(match)), match.end()
    word = _WORD.match(text, position)
    if word is None:
        return None, position + 1
    if word[0] in EMPTY_WORDS or not any(letter.isalnum() for letter in word[0]):
        return None, word.end()
    return Chunk("unknown", word[0]), word.end()
