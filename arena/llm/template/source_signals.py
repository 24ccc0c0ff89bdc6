"""What each signal strategy adds to the common frame of a bot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arena.llm.template.intents import (
    Bollinger,
    Breakout,
    Cross,
    Hold,
    Intent,
    Levels,
    Macd,
    Momentum,
    PairCross,
    Reversion,
    Rsi,
)
from arena.llm.template.skeleton import Signal
from arena.llm.template.source_averages import cross, macd, pair_cross

_DEQUE = "from collections import deque"
_FMEAN = "from statistics import fmean"
_FMEAN_DEV = "from statistics import fmean, pstdev"

_RSI = '''
def measure(price):
    """Return the RSI after one more price, or None while it warms up."""
    global last_price, gain, loss, changes
    if last_price is None:
        last_price = price
        return None
    change = price - last_price
    last_price = price
    changes += 1
    # A plain mean of the first changes, then Wilder's slower one.
    weight = 1 / min(changes, PERIOD)
    gain += (max(change, 0.0) - gain) * weight
    loss += (max(-change, 0.0) - loss) * weight
    if changes < PERIOD:
        return None
    if gain + loss == 0:
        return 50.0
    return 100 * gain / (gain + loss)
'''


def rsi(i: Rsi) -> Signal:
    """Compare Wilder's RSI with two levels."""
    verb = "crosses" if i.crossing else "is"
    ways = ("above", "below") if i.crossing else ("below", "above")
    level = """    value = measure(price)
    if value is None:
        return None
    if value < BUY_LEVEL:
        return "BUY"
    if value > SELL_LEVEL:
        return "SELL"
    return None"""
    crossing = """    global last_value
    value, before = measure(price), last_value
    last_value = value
    if before is None:
        return None
    if before <= BUY_LEVEL < value:
        return "BUY"
    if before >= SELL_LEVEL > value:
        return "SELL"
    return None"""
    state = ("last_price = None", "gain = 0.0", "loss = 0.0", "changes = 0")
    return Signal(
        strategy="rsi",
        name=f"RSI {i.period} {i.buy:.6g}/{i.sell:.6g}",
        buys=f"the {i.period}-tick RSI {verb} {ways[0]} {i.buy:.6g}",
        sells=f"the {i.period}-tick RSI {verb} {ways[1]} {i.sell:.6g}",
        constants=(
            ("PERIOD", i.period, "price changes that the RSI looks back on"),
            ("BUY_LEVEL", i.buy, "of the RSI, from 0 to 100"),
            ("SELL_LEVEL", i.sell, "of the RSI, from 0 to 100"),
        ),
        state=(*state, "last_value = None") if i.crossing else state,
        helpers=_RSI,
        body=crossing if i.crossing else level,
    )


def bollinger(i: Bollinger) -> Signal:
    """Watch for the price outside its Bollinger bands."""
    entry = "price < middle - reach" if i.buy == "lower" else "price > middle + reach"
    edge = {"upper": "middle + reach", "lower": "middle - reach", "middle": "middle"}[i.sell]
    above = i.buy == "lower"
    bands = f"{i.period}-tick {i.width:.6g} deviation"
    return Signal(
        strategy="bollinger",
        name=f"Bollinger {i.period}/{i.width:.6g}",
        buys=f"the price is {'below' if above else 'above'} its {i.buy} {bands} band",
        sells=f"the price is {'above' if above else 'below'} its {i.sell} {bands} band",
        constants=(
            ("PERIOD", i.period, "ticks of the mean and of the deviation"),
            ("WIDTH", i.width, "standard deviations from the middle band to the outer ones"),
        ),
        state=("prices = deque(maxlen=PERIOD)",),
        imports=(_DEQUE, _FMEAN_DEV),
        body=f"""    prices.append(price)
    if len(prices) < PERIOD:
        return None
    middle = fmean(prices)
    reach = WIDTH * pstdev(prices)
    if reach == 0:
        return None
    if {entry}:
        return "BUY"
    if price {">" if above else "<"} {edge}:
        return "SELL"
    return None""",
    )


def breakout(i: Breakout) -> Signal:
    """Watch for the price outside the channel of the ticks before it."""
    return Signal(
        strategy="breakout",
        name=f"Breakout {i.entry}/{i.leave}" if i.entry != i.leave else f"Breakout {i.entry}",
        buys=f"the price rises above the high of the last {i.entry} ticks",
        sells=f"the price falls below the low of the last {i.leave} ticks",
        constants=(
            ("ENTRY", i.entry, "ticks of the high that must be passed to buy"),
            ("LEAVE", i.leave, "ticks of the low that must be passed to sell"),
        ),
        state=("highs = deque(maxlen=ENTRY)", "lows = deque(maxlen=LEAVE)"),
        imports=(_DEQUE,),
        body="""    # The channel is of the prices before this one, or none could ever leave it.
    higher = len(highs) == ENTRY and price > max(highs)
    lower = len(lows) == LEAVE and price < min(lows)
    highs.append(price)
    lows.append(price)
    if higher:
        return "BUY"
    if lower:
        return "SELL"
    return None""",
    )


def reversion(i: Reversion) -> Signal:
    """Measure the distance from the mean."""
    percent = i.unit == "percent"
    side = "above" if i.leave > 0 else "below"
    leave = f"{_distance(abs(i.leave), i)} {side}" if i.leave else "back at"
    measure = (
        "    distance = price / fmean(prices) - 1"
        if percent
        else """    deviation = pstdev(prices)
    if deviation == 0:
        return None
    distance = (price - fmean(prices)) / deviation"""
    )
    unit = "as a fraction" if percent else "in standard deviations"
    return Signal(
        strategy="mean_reversion",
        name=f"Reversion {i.period}/{i.entry * 100:.6g}%" if percent else f"Reversion {i.period}/{i.entry:.6g}",
        buys=f"the price is {_distance(i.entry, i)} below its {i.period}-tick mean",
        sells=f"the price is {leave} its {i.period}-tick mean",
        constants=(
            ("PERIOD", i.period, "ticks of the mean"),
            ("BUY_BELOW", i.entry, f"distance below the mean, {unit}"),
            ("SELL_ABOVE", i.leave, f"distance above the mean, {unit}"),
        ),
        state=("prices = deque(maxlen=PERIOD)",),
        imports=(_DEQUE, _FMEAN if percent else _FMEAN_DEV),
        body=f"""    prices.append(price)
    if len(prices) < PERIOD:
        return None
{measure}
    if distance <= -BUY_BELOW:
        return "BUY"
    if distance >= SELL_ABOVE:
        return "SELL"
    return None""",
    )


def _distance(value: float, i: Reversion) -> str:
    if i.unit == "percent":
        return f"{value * 100:.6g}%"
    return f"{value:.6g} deviation{'' if value == 1 else 's'}"


def momentum(i: Momentum) -> Signal:
    """Follow or fade the change over a look-back."""
    rise = f"the price rose {{:.6g}}% or more over {i.period} ticks"
    fall = f"the price fell {{:.6g}}% or more over {i.period} ticks"
    buys, sells = (fall, rise) if i.contrary else (rise, fall)
    up, down = ("change", "-change")
    buy, sell = (down, up) if i.contrary else (up, down)
    return Signal(
        strategy="dip_buying" if i.contrary else "momentum",
        name=f"{'Dip' if i.contrary else 'Momentum'} {i.period}/{i.buy * 100:.6g}%",
        buys=_moved(buys, i.buy),
        sells=_moved(sells, i.sell),
        constants=(
            ("PERIOD", i.period, "ticks over which the change is taken"),
            ("BUY_CHANGE", i.buy, f"{'fall' if i.contrary else 'rise'} that buys, as a fraction"),
            ("SELL_CHANGE", i.sell, f"{'rise' if i.contrary else 'fall'} that sells, likewise"),
        ),
        state=("prices = deque(maxlen=PERIOD + 1)",),
        imports=(_DEQUE,),
        body=f"""    prices.append(price)
    if len(prices) <= PERIOD:
        return None
    change = price / prices[0] - 1
    if change == 0:
        return None
    if {buy} >= BUY_CHANGE:
        return "BUY"
    if {sell} >= SELL_CHANGE:
        return "SELL"
    return None""",
    )


def _moved(words: str, share: float) -> str:
    return words.format(share * 100) if share else words.replace(" {:.6g}% or more", "")


def levels(i: Levels) -> Signal:
    """Compare the price with two fixed ones."""
    buy, sell = (">", "<") if i.contrary else ("<", ">")
    if i.inclusive:
        buy, sell = buy + "=", sell + "="
    ways = ("above", "below") if i.contrary else ("below", "above")
    touch = "at or " if i.inclusive else ""
    sale = (
        f"""
    if price {sell} SELL_PRICE:
        return "SELL\""""
        if i.sell is not None
        else ""
    )
    prices = [("BUY_PRICE", i.buy, f"buy {ways[0]} this price")]
    prices += [] if i.sell is None else [("SELL_PRICE", i.sell, f"sell {ways[1]} this price")]
    return Signal(
        strategy="price_levels",
        name=f"Levels {i.buy:.10g}" + ("" if i.sell is None else f"/{i.sell:.10g}"),
        buys=f"the price is {touch}{ways[0]} {i.buy:.10g}",
        sells="" if i.sell is None else f"the price is {touch}{ways[1]} {i.sell:.10g}",
        constants=tuple(prices),
        state=(),
        body=f"""    if price {buy} BUY_PRICE:
        return "BUY"{sale}
    return None""",
    )


def hold(_: Hold) -> Signal:
    """Buy once and keep."""
    return Signal(
        strategy="buy_and_hold",
        name="Buy and Hold",
        buys="the first price is known",
        sells="",
        constants=(),
        state=(),
        body='    return "BUY"',
    )


SIGNALS: dict[type[Intent], Callable[[Any], Signal]] = {
    Cross: cross,
    PairCross: pair_cross,
    Macd: macd,
    Rsi: rsi,
    Bollinger: bollinger,
    Breakout: breakout,
    Reversion: reversion,
    Momentum: momentum,
    Levels: levels,
    Hold: hold,
}
