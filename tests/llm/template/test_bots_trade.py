"""Written bots, played over a market, against orders computed here from the whole history."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Any

import pytest

from arena.llm.template import Written, write_bot

MARKET = ("BTCUSDT", "ETHUSDT")
Rule = Callable[[list[float]], str | None]


def source_of(phrase: str) -> str:
    answer = write_bot(phrase, MARKET)
    assert isinstance(answer, Written), answer
    return answer.source


def turns(prices: list[float], rule: Rule) -> list[tuple[int, str]]:
    """Alternate BUY and SELL as the rule says; the position is one tick behind the order."""
    out: list[tuple[int, str]] = []
    for tick in range(len(prices)):
        side = rule(prices[: tick + 1])
        held = len(out) % 2 == 1
        if side == ("SELL" if held else "BUY"):
            out.append((tick, side))
    return out


def ema(prices: list[float], period: int) -> list[float]:
    out = prices[:1]
    for price in prices[1:]:
        out.append(price * 2 / (period + 1) + out[-1] * (1 - 2 / (period + 1)))
    return out


def crossing(gaps: list[float]) -> str | None:
    if gaps[-2] <= 0 < gaps[-1]:
        return "BUY"
    return "SELL" if gaps[-2] >= 0 > gaps[-1] else None


def ema_rule(h: list[float]) -> str | None:
    return None if len(h) <= 20 else crossing([p - e for p, e in zip(h, ema(h, 20), strict=True)])


def sma_rule(h: list[float]) -> str | None:
    if len(h) <= 15:
        return None
    return crossing([h[-2] - fmean(h[-16:-1]), h[-1] - fmean(h[-15:])])


def sma_pair_rule(h: list[float]) -> str | None:
    if len(h) <= 30:
        return None
    gap = [fmean(p[-10:]) - fmean(p[-30:]) for p in (h[:-1], h)]
    return crossing(gap)


def macd_rule(h: list[float]) -> str | None:
    if len(h) <= 35:
        return None
    line = [a - b for a, b in zip(ema(h, 12), ema(h, 26), strict=True)]
    return crossing([a - b for a, b in zip(line, ema(line, 9), strict=True)])


def rsi_rule(h: list[float]) -> str | None:
    changes = [b - a for a, b in pairwise(h)]
    if len(changes) < 14:
        return None
    up = fmean(max(c, 0) for c in changes[:14])
    down = fmean(max(-c, 0) for c in changes[:14])
    for c in changes[14:]:
        up, down = (up * 13 + max(c, 0)) / 14, (down * 13 + max(-c, 0)) / 14
    value = 100 - 100 / (1 + up / down) if down else 100
    return "BUY" if value < 30 else "SELL" if value > 70 else None


def bollinger_rule(h: list[float]) -> str | None:
    window = h[-20:]
    if len(window) < 20:
        return None
    mean, reach = fmean(window), 1.5 * pstdev(window)
    return "BUY" if h[-1] < mean - reach else "SELL" if h[-1] > mean + reach else None


def breakout_rule(h: list[float]) -> str | None:
    if len(h) > 20 and h[-1] > max(h[-21:-1]):
        return "BUY"
    return "SELL" if len(h) > 10 and h[-1] < min(h[-11:-1]) else None


def reversion_rule(h: list[float]) -> str | None:
    window = h[-50:]
    if len(window) < 50:
        return None
    score = (h[-1] - fmean(window)) / pstdev(window)
    return "BUY" if score <= -1.5 else "SELL" if score >= 0 else None


def percent_rule(h: list[float]) -> str | None:
    window = h[-50:]
    if len(window) < 50:
        return None
    off = h[-1] / fmean(window) - 1
    return "BUY" if off <= -0.01 else "SELL" if off >= 0.01 else None


def momentum_rule(h: list[float]) -> str | None:
    if len(h) <= 20:
        return None
    change = h[-1] / h[-21] - 1
    return "BUY" if change >= 0.01 else "SELL" if change <= -0.005 else None


def dip_rule(h: list[float]) -> str | None:
    if len(h) <= 20:
        return None
    change = h[-1] / h[-21] - 1
    return "BUY" if change <= -0.02 else "SELL" if change >= 0.02 else None


def level_rule(h: list[float]) -> str | None:
    return "BUY" if h[-1] < 99 else "SELL" if h[-1] > 102 else None


def shown(value: Any) -> str:
    """Return a test's id that is the same in every process."""
    return getattr(value, "__name__", str(value))[:30]


RULES = [
    ("buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC", ema_rule),
    ("15-tick SMA cross, 0.01 BTC", sma_rule),
    ("10/30 SMA crossover, 0.01 BTC", sma_pair_rule),
    ("MACD 12,26,9, 0.01 BTC", macd_rule),
    ("RSI(14) 30/70, 0.01 BTC", rsi_rule),
    ("bollinger bands 20 ticks 1.5 std, 0.01 BTC", bollinger_rule),
    ("buy above the 20-tick high, sell below the 10-tick low, 0.01 BTC", breakout_rule),
    (
        "mean reversion over 50 ticks: buy 1.5 std below the mean, sell at the mean, 0.01 BTC",
        reversion_rule,
    ),
    ("buy 1% below the 50-tick average and sell 1% above it, 0.01 BTC", percent_rule),
    ("buy when the price rises 1% over 20 ticks, sell when it falls 0.5%, 0.01 BTC", momentum_rule),
    ("buy when the price drops 2% over 20 ticks, sell when it rises 2%, 0.01 BTC", dip_rule),
    ("buy 0.01 BTC below 99 and sell above 102", level_rule),
]


@pytest.mark.parametrize(("phrase", "rule"), RULES, ids=shown)
def test_a_signal_bot_orders_exactly_when_its_rule_says(play, wave, phrase, rule):
    prices = wave()
    played = play(source_of(phrase), [{"BTCUSDT": p} for p in prices])
    expected = turns(prices, rule)
    assert len(expected) >= 4
    assert played.turns() == expected
    assert not played.rejected
    assert {size for _, _, _, size in played.orders} == {0.01}
    for (tick, _, side, size), fill in zip(played.orders, played.fills, strict=False):
        assert fill == (tick + 1, "BTCUSDT", side, size, prices[tick + 1])
    assert len([line for line in played.logs if line.startswith(("BUY ", "SELL "))]) == len(expected)


@pytest.mark.parametrize(("phrase", "rule"), RULES, ids=shown)
def test_a_bot_survives_missing_and_unchanging_prices(play, wave, phrase, rule):
    market = [{}, {"ETHUSDT": 1.0}, *({"BTCUSDT": p} for p in wave(100)), {}]
    market += [{"BTCUSDT": 98.0}] * 80
    play(source_of(phrase), market)
    flat = play(source_of(phrase), [{"BTCUSDT": 100.0}] * 200)
    assert not flat.orders


@pytest.mark.parametrize("phrase", [phrase for phrase, _ in RULES], ids=shown)
def test_a_bot_that_cannot_pay_says_so_once_and_orders_nothing(play, wave, phrase):
    played = play(source_of(phrase), [{"BTCUSDT": p} for p in wave()], cash=0.5)
    assert not played.orders
    assert len([line for line in played.logs if line.startswith("Not enough cash")]) == 1


@pytest.mark.parametrize(
    ("words", "size"),
    [
        ("$500", lambda price: 500 / price),
        ("25% of my cash", lambda price: 2500 / price),
        ("half my cash", lambda price: 5000 / price),
        ("all in", lambda price: 9900 / price),
        ("with 2 units", lambda _: 2.0),
        ("0.3 BTC", lambda _: 0.3),
        ("", lambda price: 1000 / price),
    ],
)
def test_the_size_is_the_one_asked_for(play, wave, words, size):
    prices = wave()
    played = play(source_of(f"15-tick SMA cross on BTC {words}"), [{"BTCUSDT": p} for p in prices])
    tick, _, side, ordered = played.orders[0]
    assert side == "BUY"
    assert ordered == pytest.approx(size(prices[tick]), rel=1e-9)
    assert len(played.fills) >= 4


def exits(play, words: str, after: list[float]) -> list[tuple[int, str]]:
    prices = [98.0, *after]
    source = source_of(f"buy 1 BTC below 99, {words}")
    return play(source, [{"BTCUSDT": p} for p in prices]).turns()


def test_a_stop_loss_is_measured_from_the_price_of_the_fill(play):
    assert exits(play, "2% stop loss", [100.0, 98.1, 98.0, 97.0]) == [(0, "BUY"), (3, "SELL")]


def test_a_take_profit_sells_at_the_gain(play):
    assert exits(play, "take profit at 5%", [100.0, 104.9, 105.0]) == [(0, "BUY"), (3, "SELL")]


def test_a_trailing_stop_follows_the_best_price(play):
    assert exits(play, "3% trailing stop", [100.0, 120.0, 116.5, 116.3]) == [
        (0, "BUY"),
        (4, "SELL"),
    ]


def test_after_a_stop_the_bot_waits_until_its_signal_has_come_anew(play):
    path = [98.0, 90.0, 90.0, 90.0, 100.0, 98.0, 98.0]
    assert exits(play, "2% stop loss", path) == [(0, "BUY"), (2, "SELL"), (6, "BUY")]


def test_regular_buying_buys_at_the_first_tick_and_at_each_interval(play):
    played = play(source_of("DCA $50 every 10 ticks into BTC"), [{"BTCUSDT": 100.0 + i} for i in range(35)])
    assert [tick for tick, *_ in played.orders] == [0, 10, 20, 30]
    assert [size for *_, size in played.orders] == [50 / (100.0 + i) for i in (0, 10, 20, 30)]
    assert len(played.fills) == 4


def test_holding_buys_once_and_stays(play, wave):
    played = play(source_of("buy and hold BTC"), [{}, *({"BTCUSDT": p} for p in wave())])
    assert played.turns() == [(1, "BUY")]
    assert 0 <= played.cash < 200


def test_a_held_portfolio_has_its_weights(play, wave):
    market = [{"BTCUSDT": p, "ETHUSDT": q} for p, q in zip(wave(), wave(start=5, seed=2), strict=True)]
    played = play(source_of("buy and hold 60/40 BTC/ETH"), market)
    assert [(symbol, side) for _, symbol, side, _ in played.orders] == [
        ("BTCUSDT", "BUY"),
        ("ETHUSDT", "BUY"),
    ]
    (_, _, _, btc, _), (_, _, _, eth, _) = played.fills
    assert btc * market[0]["BTCUSDT"] == pytest.approx(5940)
    assert eth * market[0]["ETHUSDT"] == pytest.approx(3960)


def test_rebalancing_restores_the_weights(play):
    market = [{"BTCUSDT": 100.0 * (1 + 0.01 * (i % 40)), "ETHUSDT": 10.0} for i in range(120)]
    played = play(source_of("rebalance 50/50 BTC and ETH every 10 ticks"), market)
    assert {tick % 10 for tick, *_ in played.orders} == {0}
    assert {side for _, side in played.turns()} == {"BUY", "SELL"}
    assert not played.rejected
    bitcoin = played.positions["BTCUSDT"] * market[-1]["BTCUSDT"]
    ether = played.positions["ETHUSDT"] * 10.0
    assert bitcoin / (bitcoin + ether) == pytest.approx(0.5, abs=0.06)


def test_a_grid_buys_a_lot_at_each_level_down_and_sells_one_at_each_level_up(play):
    path = [100.0, 99.5, 98.9, 97.9, 96.9, 98.1, 99.2, 100.5, 103.0]
    source = source_of("grid with 3 levels 1% apart on BTC, $500 per level")
    played = play(source, [{"BTCUSDT": p} for p in path])
    assert [(side, size) for _, _, side, size in played.orders][:3] == [("BUY", 5.0)] * 3
    assert [side for _, side in played.turns()].count("SELL") >= 2
    assert not played.positions or played.positions["BTCUSDT"] < 15.0
    assert not played.rejected


def test_a_grid_over_a_range_never_holds_more_than_its_levels(play, wave):
    source = source_of("grid between 95 and 105 with 5 levels, 1 unit")
    played = play(source, [{"BTCUSDT": p} for p in wave()])
    assert len(played.fills) >= 6
    held = 0.0
    for _, _, side, size, _ in played.fills:
        held += size if side == "BUY" else -size
        assert -1e-9 <= held <= 5 + 1e-9


def test_a_ratio_bot_buys_the_cheap_side_and_sells_at_the_mean(play, wave):
    btc, eth = wave(phase=0.0), wave(start=5.0, phase=1.0, seed=3)
    market = [{"BTCUSDT": p, "ETHUSDT": q} for p, q in zip(btc, eth, strict=True)]
    played = play(source_of("ETH/BTC ratio reversion over 60 ticks, 1.5 std"), market)
    ratios = [q / p for p, q in zip(btc, eth, strict=True)]
    assert {symbol for _, symbol, *_ in played.orders} == set(MARKET)
    for tick, symbol, side, _ in played.orders:
        window = ratios[tick - 59 : tick + 1]
        score = (ratios[tick] - fmean(window)) / pstdev(window)
        sign = -1 if symbol == "ETHUSDT" else 1
        assert score * sign >= 1.5 - 1e-9 if side == "BUY" else score * sign <= 1e-9
    assert not played.rejected
