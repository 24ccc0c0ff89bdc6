"""What the strategies on moving averages add to the common frame of a bot."""

from __future__ import annotations

from arena.llm.template.intents import Cross, Macd, PairCross
from arena.llm.template.skeleton import Signal

_DEQUE = "from collections import deque"
_FMEAN = "from statistics import fmean"
_EMA = '''
def follow(average, price, period):
    """Return the exponential average after one more price; the first price starts it."""
    if average is None:
        return price
    return average + (price - average) * 2 / (period + 1)
'''


def _turns(contrary: bool) -> tuple[str, str]:  # noqa: FBT001 - a value of the intent
    return ("SELL", "BUY") if contrary else ("BUY", "SELL")


def cross(i: Cross) -> Signal:
    """Compare the price with one average."""
    up, down = _turns(i.contrary)
    long = f"{i.period}-tick {i.average.upper()}"
    words = (f"the price crosses above its {long}", f"the price crosses below its {long}")
    ema = i.average == "ema"
    update = (
        """    global average, last_gap, seen
    average = follow(average, price, PERIOD)
    seen += 1
    gap, before = price - average, last_gap
    last_gap = gap
    if seen <= PERIOD:
        return None"""
        if ema
        else """    global last_gap
    prices.append(price)
    if len(prices) < PERIOD:
        return None
    gap, before = price - fmean(prices), last_gap
    last_gap = gap
    if before is None:
        return None"""
    )
    return Signal(
        strategy=f"{i.average}_cross",
        name=f"{i.average.upper()} {i.period} {'fade' if i.contrary else 'cross'}",
        buys=words[i.contrary],
        sells=words[not i.contrary],
        constants=(("PERIOD", i.period, "ticks of the average; no cross counts before that many"),),
        state=("average = None", "last_gap = None", "seen = 0")
        if ema
        else ("prices = deque(maxlen=PERIOD)", "last_gap = None"),
        imports=() if ema else (_DEQUE, _FMEAN),
        helpers=_EMA if ema else "",
        body=update + _crossed(up, down),
    )


def _crossed(up: str, down: str) -> str:
    return f"""
    if before <= 0 < gap:
        return "{up}"
    if before >= 0 > gap:
        return "{down}"
    return None"""


def pair_cross(i: PairCross) -> Signal:
    """Compare a fast average with a slow one."""
    up, down = _turns(i.contrary)
    kind = i.average.upper()
    words = tuple(f"the {i.fast}-tick {kind} crosses {way} the {i.slow}-tick {kind}" for way in ("above", "below"))
    ema = i.average == "ema"
    update = (
        """    global fast, slow, last_gap, seen
    fast = follow(fast, price, FAST)
    slow = follow(slow, price, SLOW)
    seen += 1
    gap, before = fast - slow, last_gap
    last_gap = gap
    if seen <= SLOW:
        return None"""
        if ema
        else """    global last_gap
    fast_prices.append(price)
    slow_prices.append(price)
    if len(slow_prices) < SLOW:
        return None
    gap, before = fmean(fast_prices) - fmean(slow_prices), last_gap
    last_gap = gap
    if before is None:
        return None"""
    )
    return Signal(
        strategy=f"{i.average}_crossover",
        name=f"{kind} {i.fast}/{i.slow} crossover",
        buys=words[i.contrary],
        sells=words[not i.contrary],
        constants=(
            ("FAST", i.fast, "ticks of the fast average"),
            ("SLOW", i.slow, "ticks of the slow average; no cross counts before that many"),
        ),
        state=("fast = None", "slow = None", "last_gap = None", "seen = 0")
        if ema
        else (
            "fast_prices = deque(maxlen=FAST)",
            "slow_prices = deque(maxlen=SLOW)",
            "last_gap = None",
        ),
        imports=() if ema else (_DEQUE, _FMEAN),
        helpers=_EMA if ema else "",
        body=update + _crossed(up, down),
    )


def macd(i: Macd) -> Signal:
    """Compare the MACD line with its signal line."""
    return Signal(
        strategy="macd",
        name=f"MACD {i.fast},{i.slow},{i.signal}",
        buys="the MACD line crosses above its signal line",
        sells="the MACD line crosses below its signal line",
        constants=(
            ("FAST", i.fast, "ticks of the fast average"),
            ("SLOW", i.slow, "ticks of the slow average"),
            ("SMOOTH", i.signal, "ticks of the signal line, an average of the MACD line"),
        ),
        state=("fast = None", "slow = None", "smooth = None", "last_gap = None", "seen = 0"),
        helpers=_EMA,
        body="""    global fast, slow, smooth, last_gap, seen
    fast = follow(fast, price, FAST)
    slow = follow(slow, price, SLOW)
    smooth = follow(smooth, fast - slow, SMOOTH)
    seen += 1
    gap, before = fast - slow - smooth, last_gap
    last_gap = gap
    if seen <= SLOW + SMOOTH:
        return None"""
        + _crossed("BUY", "SELL"),
    )
