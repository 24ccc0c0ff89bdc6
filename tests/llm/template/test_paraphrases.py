"""Sentences as people write them, by what they mean: each bot must trade exactly as its words say.

A meaning is a pair of plain rules over the whole history of prices, computed here without any of the writer's code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from statistics import fmean, pstdev

import pytest

from arena.llm.template import NotUnderstood, Purse, Written, write_bot

MARKET = ("BTCUSDT", "ETHUSDT")
Test = Callable[[list[float]], bool]
Gap = Callable[[list[float]], float | None]


# -- what conditions mean, over a history


def ema(n: int) -> Gap:
    def value(h: list[float]) -> float | None:
        if len(h) < n:
            return None
        out = h[0]
        for price in h[1:]:
            out += (price - out) * 2 / (n + 1)
        return out

    return value


def sma(n: int) -> Gap:
    return lambda h: fmean(h[-n:]) if len(h) >= n else None


def price(h: list[float]) -> float:
    return h[-1]


def level(x: float) -> Gap:
    return lambda _: x


def rsi(n: int) -> Gap:
    def value(h: list[float]) -> float | None:
        changes = [b - a for a, b in pairwise(h)]
        if len(changes) < n:
            return None
        up, down = (fmean(max(s * c, 0) for c in changes[:n]) for s in (1, -1))
        for c in changes[n:]:
            up, down = (up * (n - 1) + max(c, 0)) / n, (down * (n - 1) + max(-c, 0)) / n
        return 100 * up / (up + down)

    return value


def macd(part: str) -> Gap:
    def value(h: list[float]) -> float | None:
        if len(h) < 35:
            return None
        fast = slow = h[0]
        signal = 0.0
        for n, p in enumerate(h):
            fast += (p - fast) * 2 / 13 if n else 0
            slow += (p - slow) * 2 / 27 if n else 0
            signal += (fast - slow - signal) * 2 / 10 if n else 0
        return fast - slow if part == "line" else signal

    return value


def band(n: int, width: float) -> Gap:
    return lambda h: fmean(h[-n:]) + width * pstdev(h[-n:]) if len(h) >= n else None


def high(n: int) -> Gap:
    return lambda h: max(h[-n - 1 : -1]) if len(h) > n else None


def low(n: int) -> Gap:
    return lambda h: min(h[-n - 1 : -1]) if len(h) > n else None


def change(n: int) -> Gap:
    return lambda h: h[-1] / h[-n - 1] - 1 if len(h) > n else None


def score(n: int) -> Gap:
    return lambda h: (h[-1] - fmean(h[-n:])) / pstdev(h[-n:]) if len(h) >= n else None


def times(gap: Gap, factor: float) -> Gap:
    return lambda h: None if gap(h) is None else (gap(h) or 0.0) * factor


def above(a: Gap, b: Gap, *, or_at: bool = False) -> Test:
    def test(h: list[float]) -> bool:
        x, y = a(h), b(h)
        return x is not None and y is not None and (x > y or (or_at and x == y))

    return test


def below(a: Gap, b: Gap, *, or_at: bool = False) -> Test:
    return above(b, a, or_at=or_at)


def up(a: Gap, b: Gap) -> Test:
    return lambda h: len(h) > 1 and above(b, a, or_at=True)(h[:-1]) and above(a, b)(h)


def down(a: Gap, b: Gap) -> Test:
    return up(b, a)


def comes_up(x: float) -> Test:
    return lambda h: len(h) > 1 and h[-2] < x <= h[-1]


def rising(a: Gap) -> Test:
    return lambda h: len(h) > 1 and a(h[:-1]) is not None and (a(h) or 0) > (a(h[:-1]) or 0)


def falling(a: Gap) -> Test:
    return lambda h: len(h) > 1 and a(h[:-1]) is not None and (a(h) or 0) < (a(h[:-1]) or 0)


def both(*tests: Test) -> Test:
    return lambda h: all(test(h) for test in tests)


def either(*tests: Test) -> Test:
    return lambda h: any(test(h) for test in tests)


def never(_: list[float]) -> bool:
    return False


E20, S50 = ema(20), sma(50)
LINE, SIGNAL = macd("line"), macd("signal")
LOWER, MIDDLE, UPPER = band(20, -2), band(20, 0), band(20, 2)

MEANINGS: dict[str, tuple[Test, Test, list[str]]] = {
    "cross of the 20 EMA": (up(price, E20), down(price, E20), [
        "Buy when price closes above the 20 EMA, sell when it closes below",
        "buy when the close crosses above the 20 EMA; sell when the close crosses below the 20 EMA",
        "EMA 20 cross", "EMA20 cross", "20 EMA crossover", "price crosses the 20 period EMA strategy",
        "Buy when price crosses the 20 EMA from below, sell when it crosses from above",
        "Sell when price crosses the 20 EMA from above, buy when it crosses it from below",
        "buy if price breaks above its twenty tick exponential moving average and exit if it falls back below it",
        "When price crosses above the 20-tick EMA, buy; when it crosses below, sell",
        "go long when price crosses over EMA(20), close the position when price crosses under EMA(20)",
        "buy when price crosses up through the 20 EMA and sell when it crosses down through it",
        "enter when the price closes over the 20 ema, exit on the opposite cross",
        "buy when price crosses above the 20 EMA and vice versa",
        "EMA cross with a period of 20", "EMA crossover, lookback size 20", "EMA crossover with a window size of 20",
        "buuy when price croses above the 20 EMA, sell when it crosses belw",
    ]),
    "contrary cross of the 20 EMA": (down(price, E20), up(price, E20), [
        "EMA 20 cross but in the opposite direction", "the inverse of the 20 EMA cross",
        "buy when price crosses below the 20 EMA, sell when it crosses above it",
        "buy when the price crosses the 20 EMA from above and sell when it crosses it from below",
        "do the opposite of the 20 EMA crossover", "trade the 20 EMA crossover in reverse direction",
    ]),
    "above the 20 EMA": (above(price, E20), below(price, E20), [
        "Buy when the 20 EMA is below the price and sell when the 20 EMA is above the price",
        "own BTC while the price is above the 20 EMA", "hold BTC while price > EMA 20, otherwise stay in cash",
        "buy if price is higher than its 20 EMA, sell if it is lower than its 20 EMA",
        "long BTC above the 20 EMA, flat below", "stay long when the price is over the 20 EMA, else sell",
        "Use a 20-tick EMA. Buy when price > EMA; sell when price < EMA",
    ]),
    "crossover 10/30": (up(sma(10), sma(30)), down(sma(10), sma(30)), [
        "SMA 10/30 crossover", "10/30 SMA cross", "SMA(10) vs SMA(30)",
        "Sell when the 30 SMA crosses above the 10 SMA, buy when the 30 SMA crosses below the 10 SMA",
        "buy when the 10 SMA crosses the 30 SMA from below, sell when it crosses it from above",
        "buy when the fast SMA (10) crosses above the slow SMA (30), sell on the opposite cross",
        "buy on golden cross of 10 and 30 SMA, sell on death cross",
        "when the 10 SMA crosses over the 30 SMA buy, when it crosses under sell",
    ]),
    "levels of RSI": (below(rsi(14), level(30)), above(rsi(14), level(70)), [
        "RSI 30/70", "RSI(14) 30/70", "buy when RSI is below 30, sell when RSI is above 70",
        "buy when rsi is belwo 30, sel when rsi is abov 70", "RSI 14, buy below 30, sell above 70",
        "buy when rsi < 30 and sell when rsi > 70", "buy oversold, sell overbought using RSI 30/70",
        "RSI under 30 buy, over 70 sell", "If RSI drops below 30, buy. If RSI goes above 70, sell.",
        "Buy when the relative strength index is less than thirty and exit when it is greater than seventy",
    ]),
    "at levels of RSI": (below(rsi(14), level(25), or_at=True), above(rsi(14), level(75), or_at=True), [
        "buy at rsi 25 sell at 75", "buy at RSI 25, sell at RSI 75", "buy when RSI hits 25, sell when RSI reaches 75",
        "buy rsi 25 sell rsi 75",
    ]),
    "RSI through its levels": (up(rsi(14), level(30)), down(rsi(14), level(70)), [
        "Buy when RSI crosses 30 from below, sell when RSI crosses 70 from above",
        "buy when RSI crosses above 30 and sell when RSI crosses below 70",
        "buy when the RSI crosses 30 upwards, sell when it crosses 70 downwards",
    ]),
    "RSI as a regime": (above(rsi(14), level(50)), below(rsi(14), level(50)), [
        "own BTC when RSI is above 50", "hold BTC while the RSI is over 50", "buy when RSI > 50, sell when RSI < 50",
    ]),
    "slope of RSI": (rising(rsi(14)), falling(rsi(14)), [
        "Buy when RSI is rising, sell when RSI is falling", "buy while RSI is going up and sell when RSI is going down",
    ]),
    "slope of the EMA": (
        lambda h: rising(E20)(h) and not rising(E20)(h[:-1]) and len(h) > 22,
        lambda h: falling(E20)(h) and not falling(E20)(h[:-1]) and len(h) > 22, [
        "Buy when the 20 EMA turns up, sell when it turns down",
        "buy when the 20-tick EMA turns upwards, sell when the 20-tick EMA turns downwards",
    ]),
    "MACD": (up(LINE, SIGNAL), down(LINE, SIGNAL), [
        "MACD 12 26 9", "MACD 12,26,9", "MACD(12, 26, 9)", "MACD crossover",
        "buy when MACD crosses above its signal line, sell when it crosses below",
        "when MACD crosses above signal buy, when it crosses below sell",
        "Buy on the MACD crossover, exit when MACD crosses under",
        "buy when the macd histogram turns positive, sell when it turns negative",
    ]),
    "contrary MACD": (down(LINE, SIGNAL), up(LINE, SIGNAL), [
        "Trade in the opposite direction of MACD crossovers", "inverse MACD crossover",
        "buy when MACD crosses below its signal line, sell when it crosses above it",
    ]),
    "bands": (below(price, LOWER), above(price, UPPER), [
        "Bollinger bands 20 2", "Bollinger(20, 2) mean reversion",
        "buy below the lower Bollinger band, sell above the upper Bollinger band",
    ]),
    "upper band": (above(price, UPPER), below(price, MIDDLE), [
        "Buy when price closes above the upper Bollinger band", "Bollinger band breakout",
        "buy when the price breaks above the upper Bollinger band, sell when it falls below the middle band",
    ]),
    "breakout": (above(price, high(20)), below(price, low(20)), [
        "Donchian channel 20", "20 tick breakout", "Donchian breakout, 20 ticks",
        "buy new 20-tick highs, sell new 20-tick lows",
        "buy above the highest price of the last 20 ticks, sell below the lowest price of the last 20 ticks",
        "if price breaks above the highest high of the last 20 ticks, buy; sell when it breaks below the 20-tick low",
    ]),
    "under its mean": (below(price, times(sma(20), 0.99), or_at=True), above(price, sma(20), or_at=True), [
        "Buy when price is 1% below its 20 tick average, sell at the average",
        "buy when the price is 1% below its 20-tick average, sell at its 20-tick average",
        "buy 1% under the 20 SMA, sell when it is back at the 20 SMA",
        "when price is 1% below the 20-tick mean buy, sell when price returns to the mean",
    ]),
    "around the 50 EMA": (
        below(price, times(ema(50), 0.99), or_at=True), above(price, times(ema(50), 1.01), or_at=True), [
        "Buy when price is 1% under the 50 EMA, sell when 1% over it",
        "buy 1% below the 50 EMA and sell 1% above the 50 EMA",
    ]),
    "deviations": (below(score(50), level(-1.5), or_at=True), above(score(50), level(0), or_at=True), [
        "buy when the price is 1.5 std below its 50-tick mean, sell at the mean",
        "buy 1.5 standard deviations below the 50 tick average, sell when back at the average",
        "mean reversion with z-score 1.5 over 50 ticks",
    ]),
    "any rise": (above(change(20), level(0)), below(change(20), level(0)), [
        "Buy with 10% when the price rises over the last 20 ticks, sell when it falls",
        "momentum strategy, 20 ticks", "buy if price went up over the last 20 ticks and sell if it went down",
    ]),
    "a rise of 1%": (above(change(20), level(0.01), or_at=True), below(change(20), level(-0.01), or_at=True), [
        "buy when the price rises 1% over 20 ticks, sell when it falls 1%",
        "buy after a 1% rise in 20 ticks, sell after a 1% drop",
        "if price is up 1% over the last 20 ticks buy, if it is down 1% over the last 20 ticks sell",
    ]),
    "a level from below": (comes_up(101), above(price, level(103), or_at=True), [
        "Buy when BTC hits 101 and sell when it reaches 103", "When BTC goes to 101 buy, when it goes to 103 sell",
        "buy when the price touches $101, sell when it touches $103", "buy when BTC rises to 101, sell when it rises to 103",
        "buy once the price gets to 101, sell once it gets to 103",
    ]),
    "levels": (below(price, level(98), or_at=True), above(price, level(102), or_at=True), [
        "Buy BTC when it drops to 98 and sell when it climbs to 102", "buy at 98, sell at 102",
        "buy BTC when it falls to $98 and sell when it goes up to $102", "When the price dips to 98 buy, when it rises to 102 sell",
    ]),
    "beyond levels": (below(price, level(98)), above(price, level(102)), [
        "buy below 98 and sell above 102", "buy if the price drops below $98, and sell if it goes above $102",
    ]),
    "two conditions": (both(below(rsi(14), level(45)), above(price, sma(100))), above(rsi(14), level(60)), [
        "Buy when RSI goes under 45 and price is above the 100 SMA, sell when RSI is above 60",
        "buy if price is above the 100 SMA and RSI is below 45; sell if RSI is over 60",
        "when RSI is below 45 and the price is above the 100-tick SMA buy, when RSI is above 60 sell",
    ]),
    "one of two conditions": (either(below(rsi(14), level(30)), below(price, LOWER)), above(rsi(14), level(70)), [
        "Buy when RSI is below 30 or price is below the lower Bollinger band, sell when RSI is above 70",
    ]),
    "a range of RSI": (
        both(above(rsi(14), level(35), or_at=True), below(rsi(14), level(45), or_at=True)), above(rsi(14), level(60)), [
            "buy when RSI is between 35 and 45, sell above 60",
            "if RSI is between 35 and 45 buy, else if RSI above 60 sell",
        ],
    ),
    "a range of prices": (
        both(above(price, level(97), or_at=True), below(price, level(99), or_at=True)), above(price, level(102), or_at=True),
        ["buy between 97 and 99, sell at 102", "buy when the price is between $97 and $99, sell at 102 or higher"],
    ),
    "RSI beside a change of its own span": (
        either(below(rsi(14), level(30)), below(change(10), level(-0.02), or_at=True)), above(rsi(14), level(70)), [
            "buy when RSI < 30 or the price falls 2% in 10 ticks, sell when RSI > 70",
            "buy when either the price falls 2% in 10 ticks or RSI < 30, sell when RSI > 70",
        ],
    ),
    "RSI and MACD": (
        both(below(rsi(14), level(50)), up(LINE, SIGNAL)), down(LINE, SIGNAL),
        ["buy when RSI < 50 and MACD crosses up, sell when MACD crosses down"],
    ),
    "at or beyond levels of RSI": (below(rsi(14), level(30), or_at=True), above(rsi(14), level(70), or_at=True), [
        "Buy when RSI is less than or equal to 30, sell when greater than or equal to 70",
        "buy when RSI \u2264 30, sell when RSI \u2265 70",
    ]),
    "misspelt levels of RSI": (below(rsi(14), level(30)), above(rsi(14), level(70)), [
        "buy BTC once RSI is below 30, sell once it is above 70",
        "buy BTC when RSI dips under 30 and dump it when RSI goes over 70",
        "by when rsi fals below 30 and sel when it rises abvoe 70",
    ]),
    "higher than before": (above(change(10), level(0)), below(change(10), level(0)), [
        "buy when price is higher than it was 10 ticks ago, sell when it is lower than 10 ticks ago",
    ]),
    "until an average is reached": (below(rsi(14), level(35)), above(price, sma(50), or_at=True), [
        "buy BTC when RSI < 35, sell at the 50 SMA",
        "buy BTC when RSI < 35, sell at its 50-tick average",
        "buy BTC when RSI < 35, sell at SMA 50",
    ]),
    "two look-backs of RSI": (down(rsi(7), level(30)), up(rsi(21), level(60)), [
        "Buy 0.5 BTC when RSI(7) crosses under 30, sell all when RSI(21) crosses over 60",
        "when RSI 7 crosses below 30 buy, when RSI 21 crosses above 60 sell",
        "sell when the 21-tick RSI crosses above 60, buy when the 7-tick RSI crosses below 30",
    ]),
    "two look-backs of RSI on one side": (
        both(below(rsi(7), level(40)), below(rsi(21), level(45))), above(rsi(7), level(70)), [
            "buy when RSI 7 below 40 and RSI 21 below 45, sell when RSI 7 above 70",
        ],
    ),
    "never sold": (below(price, level(98)), never, ["buy below 98"]),
}  # fmt: skip
SENTENCES = [(kind, sentence) for kind, (_, _, sentences) in MEANINGS.items() for sentence in sentences]


def bot(sentence: str, **more: object) -> str:
    answer = write_bot(sentence, MARKET, **more)  # type: ignore[arg-type]
    assert isinstance(answer, Written), (sentence, answer)
    return answer.source


def turns(prices: list[float], buy: Test, sell: Test) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for tick in range(len(prices)):
        held = len(found) % 2 == 1
        if (sell if held else buy)(prices[: tick + 1]):
            found.append((tick, "SELL" if held else "BUY"))
    return found


@pytest.mark.parametrize(("kind", "sentence"), SENTENCES, ids=lambda v: str(v)[:60])
def test_a_bot_trades_exactly_when_its_words_say(play, wave, kind: str, sentence: str) -> None:
    buy, sell, _ = MEANINGS[kind]
    prices = wave(300)
    expected = turns(prices, buy, sell)
    assert len(expected) >= (1 if sell is never else 2), kind
    assert play(bot(sentence), [{"BTCUSDT": p, "ETHUSDT": p / 20} for p in prices]).turns() == expected


def test_there_are_enough_of_them() -> None:
    assert len(SENTENCES) >= 110
    assert len(SENTENCES) + len(DECLINED) >= 150


# -- bars, clock, sizes, exits, several symbols


@pytest.mark.parametrize(
    ("sentence", "seconds", "interval"),
    [
        ("Using 5-second bars, EMA 3/6 crossover", 5, 1.0), ("EMA 3/6 crossover on 5 second candles", 5, 1.0),
        ("on the 1 minute chart: EMA 3/6 crossover", 60, 10.0), ("5s timeframe EMA 3/6 crossover", 5, 1.0),
        ("buy when EMA 3 crosses above EMA 6 on 1m candles, sell when it crosses below", 60, 20.0),
    ],
)  # fmt: skip
def test_bars_are_closes_built_from_ticks(play, wave, sentence: str, seconds: int, interval: float) -> None:
    each = round(seconds / interval)
    # The made market's clock runs one second a tick.
    prices = wave(400)
    source = bot(sentence, interval=interval).replace(f"BAR_SECONDS = {seconds}", f"BAR_SECONDS = {each}")
    closes = prices[each - 1 :: each]
    expected = [((n + 1) * each, side) for n, side in turns(closes, up(ema(3), ema(6)), down(ema(3), ema(6)))]
    assert len(expected) >= 4
    found = play(source, [{"BTCUSDT": p} for p in prices]).turns()
    assert found == [turn for turn in expected if turn[0] < len(prices)]


def at(times_and_prices: list[tuple[float, float]], source: str) -> list[tuple[float, str]]:
    """Play with the clock of a real day and return when it bought and sold."""
    orders: list[tuple[float, str]] = []
    held = 0.0
    names: dict = {}
    exec(compile(source, "bot", "exec"), names)

    class Ctx:
        def get_price(self, _: str) -> float:
            return now[1]

        def get_cash(self) -> float:
            return 10_000.0

        def get_position(self, _: str) -> float:
            return held

        def log(self, _: str) -> None:
            pass

        def submit_order(self, *, side: str, **_: object) -> None:
            orders.append((now[0], side))

    for now in times_and_prices:
        if orders:
            held = 1.0 if orders[-1][1] == "BUY" else 0.0
        names["on_tick"](Ctx(), {"time": now[0], "prices": {}, "bot": {}})
    return orders


MONDAY = 1_700_438_400.0  # 2023-11-20 00:00 UTC


@pytest.mark.parametrize(
    "sentence",
    [
        "Buy at 9am, sell at 5pm",
        "buy at 09:00 UTC and sell at 17:00 UTC",
        "at 9 am buy, at 5 pm sell",
        "buy BTC at 9am utc, exit at 5pm",
    ],
)
def test_hours_are_utc(sentence: str) -> None:
    hours = [(MONDAY + 600 * n, 100.0) for n in range(1, 6 * 24 * 2)]
    day = 86_400
    assert at(hours, bot(sentence)) == [
        (MONDAY + 9 * 3600, "BUY"), (MONDAY + 17 * 3600, "SELL"),
        (MONDAY + day + 9 * 3600, "BUY"), (MONDAY + day + 17 * 3600, "SELL"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "days"),
    [
        ("only on Mondays buy below 99 and sell above 101", {0}), ("on weekends: buy below 99, sell above 101", {5, 6}),
        ("buy below 99 on Tuesdays and Thursdays, sell above 101", {1, 3}),
        ("buy below 99, sell above 101, not on weekends", {0, 1, 2, 3, 4}), ("buy below 99 but not on Fridays, sell above 101", {0, 1, 2, 3, 5, 6}),
        ("buy below 99, sell above 101, no trades on Sundays", {0, 1, 2, 3, 4, 5}), ("buy below 99 mon-wed, sell above 101", {0, 1, 2}),
        ("from friday to monday, buy below 99, sell above 101", {0, 4, 5, 6}), ("weekdays only: buy below 99, sell above 101", {0, 1, 2, 3, 4}),
    ],
)  # fmt: skip
def test_days_are_those_that_are_named(sentence: str, days: set[int]) -> None:
    prices = [(MONDAY + 3600 * n, 98.0 if n % 2 == 0 else 102.0) for n in range(24 * 14)]
    bought = {int((time - MONDAY) // 86_400) % 7 for time, side in at(prices, bot(sentence)) if side == "BUY"}
    assert bought == days


@pytest.mark.parametrize(
    ("times", "hours"),
    [("only between 9am and 5pm", range(9, 17)), ("except between 3am and 10pm", [22, 23, 0, 1, 2]), ("9am-5pm", range(9, 17))],
)  # fmt: skip
def test_hours_bound_both_sides(times: str, hours: Iterable[int]) -> None:
    prices = [(MONDAY + 600 * n, 98.0 if n % 2 == 0 else 102.0) for n in range(6 * 24)]
    orders = at(prices, bot(f"buy below 99 and sell above 101, {times}"))
    assert {int(time % 86_400 // 3600) for time, side in orders if side == "BUY"} == set(hours)
    assert {int(time % 86_400 // 3600) for time, side in orders if side == "SELL"} == set(hours)


@pytest.mark.parametrize(
    ("sentence", "size"),
    [
        ("buy 0.3 BTC below 99", 0.3), ("buy 1/2 BTC below 99", 0.5), ("buy \u00bd BTC below 99", 0.5), ("buy $500 of BTC below 99", 500 / 98), ("buy below 99 with 25% of my cash", 2500 / 98),
        ("buy 10% when the price is below 99", 1000 / 98), ("buy half my cash when the price is below 99", 5000 / 98),
        ("buy below 99 with twenty percent of cash", 2000 / 98), ("buy below 99, size 50%", 5000 / 98),
        ("buy below 99 with two units", 2.0), ("buy below 99, all in", 9900 / 98), ("spend $250 below 99: buy", 250 / 98),
    ],
)  # fmt: skip
def test_sizes_are_those_that_are_said(play, sentence: str, size: float) -> None:
    played = play(bot(sentence), [{"BTCUSDT": 98.0}] * 3)
    assert played.orders == [(0, "BTCUSDT", "BUY", pytest.approx(size))]


EXITS = {
    "buy 1 BTC below 99, stop loss 2% trailing": [(0, "BUY"), (3, "SELL")],
    "Buy 1 BTC now with 2% trailing stop": [(0, "BUY"), (3, "SELL")],
    "buy 1 BTC below 99 and trail the stop by 2%": [(0, "BUY"), (3, "SELL")],
    "buy 1 BTC now and sell when it is up 3%": [(0, "BUY"), (2, "SELL")],
    "trailing stop of 2%, buy 1 BTC below 99": [(0, "BUY"), (3, "SELL")],
    "sells at 3% profit, buys 1 BTC below 99": [(0, "BUY"), (2, "SELL")],
    "buy 1 BTC below 99 and sell when it's up 3%": [(0, "BUY"), (2, "SELL")],
    "buy 1 BTC below 99, take profit three percent": [(0, "BUY"), (2, "SELL")],
    "buy 1 BTC below 99; sell 3% above the entry": [(0, "BUY"), (2, "SELL")],
    "buy 1 BTC below 99; sell at a 3% gain": [(0, "BUY"), (2, "SELL")],
}


@pytest.mark.parametrize("sentence", EXITS)
def test_exits_are_those_that_are_said(play, sentence: str) -> None:
    path = [98.0, 98.0, 101.0, 98.9 if "trail" in sentence else 99.5, 100.0, 100.0]
    assert play(bot(sentence), [{"BTCUSDT": p} for p in path]).turns() == EXITS[sentence]


@pytest.mark.parametrize(
    "sentence",
    [
        "buy 1 BTC below 99, sell half at 3% profit",
        "buy 1 BTC below 99, sell 50% of the position at +3%",
        "sell half at +3%, buy 1 BTC below 99",
    ],
)
def test_half_is_sold_once(play, sentence: str) -> None:
    played = play(bot(sentence), [{"BTCUSDT": p} for p in [98.0, 98.0, 101.0, 102.0, 103.0]])
    assert played.orders == [(0, "BTCUSDT", "BUY", 1), (2, "BTCUSDT", "SELL", 0.5)]


def test_the_rest_is_sold_by_its_own_rule(play) -> None:
    sentence = "buy 1 BTC below 99; sell half at 3% profit and the rest at 6% profit"
    played = play(bot(sentence), [{"BTCUSDT": p} for p in [98.0, 98.0, 101.0, 102.0, 104.0, 104.0]])
    assert [(tick, size) for tick, _, side, size in played.orders if side == "SELL"] == [(2, 0.5), (4, 0.5)]


@pytest.mark.parametrize(
    "sentence", ["buy and hold both coins equally", "hodl all coins", "split my cash equally across all coins and hold"]
)
def test_all_coins_are_bought_in_equal_parts(play, sentence: str) -> None:
    played = play(bot(sentence), [{"BTCUSDT": 100.0, "ETHUSDT": 10.0}] * 3)
    assert {symbol: size * (100 if symbol == "BTCUSDT" else 10) for _, symbol, _, size in played.orders} == {
        "BTCUSDT": pytest.approx(4950), "ETHUSDT": pytest.approx(4950),
    }  # fmt: skip


@pytest.mark.parametrize(
    "sentence", ["RSI 30/70 for every coin", "RSI 30/70 on all symbols", "trade both coins with RSI 30/70"]
)
def test_every_coin_is_traded_by_its_own_price(play, wave, sentence: str) -> None:
    market = [{"BTCUSDT": p, "ETHUSDT": q} for p, q in zip(wave(), wave(start=10.0, phase=1.5, seed=4), strict=True)]
    played = play(bot(sentence), market)
    for symbol in MARKET:
        expected = turns([row[symbol] for row in market], below(rsi(14), level(30)), above(rsi(14), level(70)))
        assert [(tick, side) for tick, name, side, _ in played.orders if name == symbol] == expected


def test_one_side_of_a_ratio_trades_that_symbol_alone(play, wave) -> None:
    sentence = "buy ETH when ETH/BTC ratio is 1.5 std below its 60 tick mean, sell when back at mean"
    btc, eth = wave(), wave(start=5.0, phase=1.0, seed=3)
    played = play(bot(sentence), [{"BTCUSDT": p, "ETHUSDT": q} for p, q in zip(btc, eth, strict=True)])
    ratios = [q / p for p, q in zip(btc, eth, strict=True)]
    expected = turns(ratios, below(score(60), level(-1.5), or_at=True), above(score(60), level(0), or_at=True))
    assert [(tick, side) for tick, _, side, _ in played.orders] == expected
    assert {symbol for _, symbol, _, _ in played.orders} == {"ETHUSDT"}


# -- what is declined, and in which words

DECLINED = {
    "buy when the fast EMA crosses above the slow EMA": "which two look-backs",
    "buy when RSI crosses above the 20 EMA": "RSI",
    "buy when MACD crosses above the 20 EMA": "cannot be compared",
    "risk 1% per trade, EMA 20 cross": "1%",
    "reverse RSI: buy above 70 and sell below 30": "reverse",
    "EMA 20 cross, stop loss 2% below the 20 EMA": "20 ema",
    "SMA 10/30 crossover, quantity 3": "3 BTC, $300",
    "EMA 20 cross, size 3": "3 BTC, $300",
    "long/short EMA 10/30 crossover": "no short selling",
    "short BTC when RSI above 70": "no short selling",
    "go long when EMA 10 crosses above EMA 30 and short when it crosses below": "no short selling",
    "Buy when price is flat over 20 ticks, sell when it rises": "width",
    "buy BTC, VWAP cross": "no volume",
    "buy when volume doubles": "no volume",
    "buy above the ichimoku cloud": "volume",
    "buy when price touches the 20 EMA": "from which side",
    "buy when BTC hits 60000": "from which side",
    "buy when the price rises 2%": "how many ticks",
    "buy at 9am New York time": "UTC",
    "don't buy when RSI is below 30": "don't",
    "buy unless RSI is above 70": "unless",
    "never buy below the 20 EMA": "never",
    "buy when RSI is not above 30": "not",
    "buy when RSI is between 30 and 40": "does not say when to sell",
    "buy when RSI is above 70 and below 30, sell at 5% profit": "never hold",
    "buy when RSI is above 70 and RSI is below 30, sell at 5% profit": "never hold",
    "buy when price falls below the 20 EMA but rises above the 50 EMA": "never hold",
    "buy when price closes below the 20 EMA and then above it": "one after the other",
    "buy when price is above the 20 EMA for the first time": "first time",
    "EMA 20 cross, risk 1% of equity per trade": "risk",
    "risk $50 per trade on RSI 30/70": "risk",
    "buy when price is above the 20 EMA, size 1% per 1% above": "per 1%",
    "EMA 20 cross with 0.5% of BTC": "0.5% of btc",
    "buy when price crosses above 20 EMA with 5% of my BTC": "5% of my btc",
    "buy \u20ac50 of BTC when RSI < 30": "EURO",
    "buy \u00a350 of BTC when RSI < 30": "dollars",
    "EMA 20 cross, stop loss at 58000": "percentage of the entry",
    "EMA 20 cross, stop loss of $50": "percentage of the entry",
    "buy when RSI < 30, 20/80, sell when RSI > 70": "20/80",
    "buy when price falls below the average or MACD crosses up in the last 10 ticks": "last 10 ticks",
    "sell when RSI > 70 but not on weekends": "not when to buy",
    "buy when price crosses the 20 EMA twice": "twice",
    "buy when price is above the 20 EMA for 3 ticks": "3 ticks",
    "buy when price is above the 20 EMA over 10 ticks": "10 ticks",
    "buy when rsi is below 30 and price above the 200 sma or macd is positive": "'and' and 'or'",
    "buy BTC and ETH when RSI is below 30": "one symbol",
    "buy RSI below 80, sell RSI above 20": "contradict",
    "buy when price is below 100 and sell when price is below 100": "contradict",
    "buy when the price crosses above the 20 EMA, sell when it crosses above the 20 EMA": "contradict",
    "sell when RSI is above 70": "never when to buy",
    "buy 0.01 BTC at RSI 30, at RSI 25, at RSI 20": "join them",
    "buy when RSI < 30 RSI < 25 RSI < 20": "two conditions into one",
    "buy when price > 5 > 4 > 3": "two conditions into one",
    "sell BTC when RSI > 70 and buy back 2% lower": "from what the distance is measured",
    "buy when RSI < 30, sell 3% higher": "from what the distance is measured",
    "buy when it is 1% cheaper": "from what the distance is measured",
    "buy BTC at market open": "never opens",
    "buy at the open and sell at the close": "never opens",
    "buy when RSI < 30 during US market hours": "never opens",
    "buy at 25:00": "no such time",
    "buy at 9:75": "no such time",
    "buy at 13pm, sell at 5pm": "no such time",
    "buy when RSI < 30, sell all": "to sell and not when",
    "buy 5 at 60": "a number with a number",
    "buy BTC if the price drops by 500 dollars in 10 ticks": "a percentage here",
    "buy BTC if the price drops more than $500": "a percentage here",
    "buy when BTC is up 100 points": "a percentage here",
    "buy ETH when ETH/BTC is below 0.05": "its own mean only",
    "buy ETH when ETH/BTC is 2% below its mean": "its own mean only",
    "RSI 14 with a period of 20 and a length of 30": "",
    "EMA 20 cross with a period of 30": "30",
    "buy 0.1 BTC or 0.2 BTC when RSI is below 30": "two different sizes",
    "EMA 20 cross, 2% stop loss, 3% stop loss": "Two different values",
    "0-tick EMA cross": "whole number",
    "sell half at 3% profit": "",
    "buy when ETH rises 1% in 10 ticks, sell BTC when it falls": "one symbol",
    "buy when RSI(7) is below 20 and RSI(21) is below 40, sell when the RSI is above 80": "which of the RSIs",
    "buy when MACD(12,26,9) is positive, sell when MACD(5,35,5) is negative": "macd(12,26,9), macd(5,35,5)",
    "sell when MACD(5,35,5) is negative, buy when MACD(12,26,9) is positive": "macd(5,35,5), macd(12,26,9)",
    "buy below the lower 20 Bollinger band; sell at the upper 50 Bollinger band": "20 bollinger band, 50 bollinger",
    "buy below the lower 50,3 bollinger band, sell above the upper 20,2 bollinger band": "50,3 bollinger band, 20,2",
    "buy when z-score is below -2 and price above the 200 SMA, sell when z-score above 0": "200 sma",
    "buy when the 14-day RSI is below 30, sell above 70": "14-day rsi",
    "buy when the 5 minute RSI is below 30, sell above 70": "length of its bars",
    "2 hour RSI 30/70": "2 hour rsi",
    "buy when RSI is lower than 5 ticks ago, sell when RSI > 70": "of the price only",
    "buy when RSI falls over the last 5 ticks, sell when RSI > 70": "of the price only",
    "buy when the z-score is higher than it was 5 ticks ago, sell when it is below 0": "of the price only",
    "buy when the 20 EMA is higher than 5 ticks ago, sell below the 20 EMA": "of the price only",
    "buy BTC when RSI < 30 only once, sell when RSI > 70": "only once",
    "buy BTC just once when RSI < 30, sell when RSI > 70": "just once",
    "buy BTC once when RSI < 30, sell when RSI > 70": "once",
    "buy BTC the first time RSI < 30, sell when RSI > 70": "the first time",
    "EMA 20 cross once": "once",
    "RSI 30/70, but only one time": "but only one time",
    "buy BTC when RSI < 30, take profit when RSI > 70": "for a sale by a signal say 'sell when'",
    "buy BTC when RSI < 30, stop loss at the lower Bollinger band": "for a sale by a signal say 'sell when'",
    "EMA 20 cross, tp 70000": "percentage of the entry",
    "EMA 20 cross, target price of $70000": "percentage of the entry",
    "Low risk: buy BTC when RSI < 30, sell when RSI > 70": "could not use these words: low, risk",
    "EMA 20 cross, 1% risk": "follows from the risk",
    "buy when price crosses above the 20 EMA, sell at the 50 SMA": "from which side",
    "buy when price is above the upper band, sell when it touches the 50 SMA": "from which side",
    "buy at the 50 SMA": "from which side",
    "buy when the price crosses 60000, sell when it crosses 65000": "above or below?",
    "sell when it crosses 65000, buy when the price crosses above 60000": "above or below?",
    "buy when the price crosses 60000, sell when it falls below 55000": "60000 is crossed",
    "buy when RSI crosses 30, sell when RSI crosses 70": "above or below?",
    "RSI 30/70 not on Fridays between 2pm and 4pm": "not on fridays, between 2pm and 4pm",
    "RSI 30/70, no trades between 2pm and 4pm on Fridays": "no trades between 2pm and 4pm, on fridays",
    "EMA 20 cross, no trades on Fridays and weekends": "weekends",
    "RSI 30/70 between 9am and 10am and between 3pm and 4pm": "between 3pm and 4pm",
    "EMA 20 cross between 9am and 10am or between 3pm and 4pm": "between 9am and 10am, or",
    "buy when RSI < 30, sell when RSI > 70 or on Friday": "or, on friday",
    "buy when RSI < 30, sell on Friday or when RSI > 70": "on friday, or when",
    "buy when MACD crosses up or on Mondays, sell when MACD crosses down": "or, on mondays",
    "Bollinger bands, not on Fridays or between 2pm and 4pm": "not on fridays, or",
}


@pytest.mark.parametrize("sentence", DECLINED)
def test_what_cannot_be_built_is_declined_with_the_reason(sentence: str) -> None:
    answer = write_bot(sentence, MARKET)
    assert isinstance(answer, NotUnderstood), answer
    assert DECLINED[sentence] in answer.reason
    assert "A sentence that is understood: '" in answer.reason


_WEEK = "it is Monday or Tuesday or Wednesday or Thursday or Friday (UTC)"
_DAY = "it is between 09:00 and 17:00 UTC"
_EITHER_SIDE = "buy when RSI < 30, sell when RSI > 70"
# How often a time stands in the two rules that a sentence says, and what is noted of it.
TIMES = {
    f"{_EITHER_SIDE}, only on weekdays between 9am and 5pm": (2, 2, "buys and sells by its signals only"),
    f"{_EITHER_SIDE} only between 9am and 5pm on weekdays": (2, 2, "buys and sells by its signals only"),
    f"{_EITHER_SIDE}. Trade only Monday to Friday from 9am to 5pm": (2, 2, "buys and sells by its signals only"),
    f"Trade only on weekdays between 9am and 5pm: {_EITHER_SIDE}": (2, 2, "buys and sells by its signals only"),
    f"{_EITHER_SIDE}, not on weekends and not between 5pm and 9am": (2, 2, "buys and sells by its signals only"),
    f"{_EITHER_SIDE} but only on weekdays": (2, 0, "buys and sells by its signals only"),
    f"{_EITHER_SIDE} on weekdays between 9am and 5pm": (1, 1, ""),
    "buy when RSI < 30. Only trade on weekdays. Sell when RSI > 70": (2, 0, "buys and sells by its signals only"),
    "buy when RSI < 30 on weekdays, sell when RSI > 70": (1, 0, ""),
    "buy on weekdays, sell on Saturdays, only between 9am and 5pm": (1, 2, "buys and sells by its signals only"),
    "EMA 20 cross, only on weekdays between 9am and 5pm": (2, 2, "buys and sells by its signals only"),
    "buy when RSI < 30. No trades on weekends.": (2, 0, "buys and sells by its signals only"),
    "Only trade on weekdays: buy when price crosses above the 20 SMA": (2, 0, "buys and sells by its signals only"),
    "buy when RSI < 30, only on weekdays": (1, 0, "It buys only at those times; it sells at any time."),
    "buy when RSI < 30 with 2% stop loss; no trades on weekends": (
        1, 0, "It buys only at those times; stops and targets are followed at any time.",
    ),
    f"{_EITHER_SIDE} with 2% stop loss; no trades on weekends": (2, 0, "; stops and targets are followed at any time."),
}  # fmt: skip


@pytest.mark.parametrize("sentence", TIMES)
def test_times_hold_for_the_sides_that_they_are_said_of(sentence: str) -> None:
    days, hours, note = TIMES[sentence]
    answer = write_bot(sentence, MARKET)
    assert isinstance(answer, Written), answer
    assert (answer.summary.count(_WEEK), answer.summary.count(_DAY)) == (days, hours)
    assert note in answer.summary


def test_a_day_taken_out_of_others_is_out_of_both_rules() -> None:
    answer = write_bot(f"{_EITHER_SIDE} only on weekdays except Friday", MARKET)
    assert isinstance(answer, Written), answer
    assert answer.source.count("in (0, 1, 2, 3, 4)") == answer.source.count("in (0, 1, 2, 3, 5, 6)") == 2


@pytest.mark.parametrize(
    "sentence",
    ["buy when BTC is higher than 5 ticks ago, sell when RSI > 70",
     "buy when over the last 5 ticks the price rises, sell when RSI > 70"],
)  # fmt: skip
def test_the_span_of_a_change_is_no_look_back(sentence: str) -> None:
    answer = write_bot(sentence, MARKET)
    assert isinstance(answer, Written), answer
    assert "the change over 5 ticks" in answer.summary
    assert "the 14-tick RSI" in answer.summary


def test_every_sentence_that_is_offered_is_understood() -> None:
    from arena.llm.template.writer import UNDERSTOOD

    for sentence in UNDERSTOOD:
        assert isinstance(write_bot(sentence, MARKET), Written), sentence


LANGUAGES = {
    "Kaufe BTC wenn der Kurs über den 20er EMA steigt, verkaufe darunter": "nur Englisch",
    "EMA 20 Kreuzung, Stop-Loss 2 %": "nur Englisch",
    "cruce de medias 10/30": "solo entienden inglés",
    "Croisement EMA 20 sur BTC": "que l'anglais",
    "RSI 14 unter 30 kaufen, über 70 verkaufen": "nur Englisch",
    "Compra cuando el RSI baje de 30 y vende cuando suba de 70": "solo entienden inglés",
    "Achète quand le RSI passe sous 30, vends au-dessus de 70": "que l'anglais",
    "\u5f53RSI\u4f4e\u4e8e30\u65f6\u4e70\u5165\uff0c\u9ad8\u4e8e70\u65f6\u5356\u51fa": "\u82f1\u8bed",
    "Compre quando o preço cair abaixo da média, venda acima": "só entendem inglês",
    "Compra quando il prezzo supera la media mobile, vendi sotto": "solo l'inglese",
    "Koop wanneer de koers boven het gemiddelde stijgt, verkoop eronder": "alleen Engels",
    "\u041f\u043e\u043a\u0443\u043f\u0430\u0439, \u043a\u043e\u0433\u0434\u0430 RSI \u043d\u0438\u0436\u0435 30": "\u0430\u043d\u0433\u043b\u0438\u0439\u0441\u043a\u0438\u0439",
    "RSI\u304c30\u3092\u4e0b\u56de\u3063\u305f\u3089\u8cb7\u3044": "\u82f1\u8a9e",
}


@pytest.mark.parametrize("sentence", LANGUAGES)
def test_other_languages_are_declined_in_that_language_with_the_way_to_a_model(sentence: str) -> None:
    answer = write_bot(sentence, MARKET)
    assert isinstance(answer, NotUnderstood)
    assert LANGUAGES[sentence] in answer.reason
    assert "OPENAI_MODEL" in answer.reason


@pytest.mark.parametrize(
    ("sentence", "fits"),
    [("Buy 1 BTC", False), ("buy 0.1 BTC now", True), ("EMA 20 cross, 1 BTC", False), ("EMA 20 cross, $20,000", False),
     ("EMA 20 cross, 1 ETH", True), ("DCA $20,000 every 100 ticks", False)],
)  # fmt: skip
def test_a_size_that_could_never_be_paid_is_told_before_it_is_built(sentence: str, *, fits: bool) -> None:
    purse = Purse(10_000.0, {"BTCUSDT": 69_000.0, "ETHUSDT": 3_500.0})
    answer = write_bot(sentence, MARKET, purse=purse)
    assert isinstance(answer, Written) is fits
    if isinstance(answer, NotUnderstood):
        assert "could never buy" in answer.reason


@pytest.mark.parametrize(
    "sentence", ["buy when 5m RSI < 30", "buy when 5 minute RSI < 30", "buy when RSI(5m) < 30", "1h RSI 30/70"]
)
def test_a_chart_is_not_taken_for_the_look_back_of_the_rsi(sentence: str) -> None:
    answer = write_bot(sentence, MARKET, 60.0)
    assert isinstance(answer, NotUnderstood), answer
    assert "look-back or the length of its bars" in answer.reason
    assert isinstance(write_bot("buy when RSI with a 5 minute period < 30", MARKET, 60.0), Written)


def test_hours_without_a_unit_are_no_prices() -> None:
    purse = Purse(10_000.0, {"BTCUSDT": 69_000.0, "ETHUSDT": 20.0})
    answer = write_bot("buy BTC at 9 and sell at 17", MARKET, purse=purse)
    assert isinstance(answer, NotUnderstood), answer
    assert "for a time of day write 9:00" in answer.reason
    assert isinstance(write_bot("buy ETH at 9 and sell at 17", MARKET, purse=purse), Written)


# -- nothing is passed over

WORDS = ("unless", "never", "twice", "hourly", "zebra", "without", "opposite", "17", "3%", "half", "except", "maybe")


@pytest.mark.parametrize("sentence", ["EMA 20 cross", "RSI 30/70", "buy below 98 and sell above 102", "MACD 12,26,9",
                                                  "buy when RSI is below 30, sell when it is above 70"])  # fmt: skip
@pytest.mark.parametrize("word", WORDS)
def test_a_word_put_into_a_sentence_is_never_silently_ignored(sentence: str, word: str) -> None:
    plain = write_bot(sentence, MARKET)
    assert isinstance(plain, Written)
    words = sentence.split()
    for place in range(len(words) + 1):
        changed = write_bot(" ".join([*words[:place], word, *words[place:]]), MARKET)
        assert isinstance(changed, NotUnderstood) or changed.source != plain.source, changed
