"""Bots of a season whose orders fill later than at the next tick order nothing again while one is under way."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena.llm.template import Written, write_bot

MARKET = ("BTCUSDT", "ETHUSDT")
BOTS = Path(__file__).parents[3] / "bots"
DELAY = 5


def source_of(sentence: str, delay: int = DELAY) -> str:
    answer = write_bot(sentence, MARKET, delay_ticks=delay)
    assert isinstance(answer, Written), answer
    return answer.source


def test_a_rule_buys_once_and_sells_once(play) -> None:
    prices = [99.0] * 12 + [111.0] * 12
    sentence = "Buy 0.5 BTC when the price is below 100, sell when above 110"
    played = play(source_of(sentence), [{"BTCUSDT": p} for p in prices], delay=DELAY)
    assert played.orders == [(0, "BTCUSDT", "BUY", 0.5), (12, "BTCUSDT", "SELL", 0.5)]
    assert [(tick, side) for tick, _, side, _, _ in played.fills] == [(5, "BUY"), (17, "SELL")]
    assert played.rejected == []


def test_a_rule_may_order_at_the_tick_of_the_fill(play) -> None:
    prices = [99.0] + [111.0] * 10
    sentence = "Buy 0.5 BTC when the price is below 100, sell when above 110"
    played = play(source_of(sentence), [{"BTCUSDT": p} for p in prices], delay=DELAY)
    assert played.turns() == [(0, "BUY"), (5, "SELL")]


def test_each_symbol_waits_for_its_own_order(play) -> None:
    market = [{"BTCUSDT": 100.0, "ETHUSDT": 100.0 if n < 2 else 90.0} for n in range(12)]
    played = play(source_of("buy $100 when the price is below 95, sell above 110, every coin"), market, delay=DELAY)
    assert [(tick, symbol) for tick, symbol, _, _ in played.orders] == [(2, "ETHUSDT")]


@pytest.mark.parametrize("sentence", ["buy and hold 60/40 BTC/ETH", "rebalance 50/50 BTC and ETH every 2 ticks"])
def test_a_portfolio_is_bought_once(play, sentence: str) -> None:
    played = play(source_of(sentence), [{"BTCUSDT": 100.0, "ETHUSDT": 10.0}] * 12, delay=DELAY)
    bought = [(tick, symbol) for tick, symbol, _, _ in played.orders if tick < DELAY]
    assert bought == [(0, "BTCUSDT"), (0, "ETHUSDT")]
    assert played.rejected == []


def test_a_pair_holds_one_side_at_a_time(play, wave) -> None:
    market = [{"BTCUSDT": p, "ETHUSDT": q} for p, q in zip(wave(), wave(start=10.0, phase=1.5, seed=4), strict=True)]
    played = play(source_of("trade the ETH/BTC ratio reversion over 60 ticks"), market, delay=DELAY)
    assert len(played.fills) > 4
    assert played.rejected == []
    sides = [(symbol, side) for _, symbol, side, _ in played.orders]
    assert all(one == (two[0], "BUY") for one, two in zip(sides[::2], sides[1::2], strict=False))
    assert {side for _, side in sides[1::2]} == {"SELL"}


def test_a_grid_counts_no_lot_that_it_did_not_sell(play) -> None:
    prices = [100.0, 98.9, 100.1, 100.1, 100.1, 100.1, 100.1, 100.1, 100.1]
    sentence = "grid with 10 levels 1% apart, $500 per level"
    played = play(source_of(sentence), [{"BTCUSDT": p} for p in prices], delay=DELAY)
    assert played.turns() == [(1, "BUY"), (6, "SELL")]
    played = play(source_of(sentence), [{"BTCUSDT": p} for p in [*prices, *[100.1] * 6]], delay=DELAY)
    assert played.positions == {}
    assert played.names["lots"] == 0


def test_regular_purchases_spend_no_cash_twice(play) -> None:
    played = play(source_of("DCA $400 every tick into BTC"), [{"BTCUSDT": 100.0}] * 12, cash=1000.0, delay=DELAY)
    assert [tick for tick, _, _, _ in played.orders] == [0, 1]
    assert played.rejected == []


def test_the_example_buys_once_once_it_is_told_the_delay(play) -> None:
    source = (BOTS / "example_trend.py").read_text("utf-8")
    told = source.replace("DELAY_TICKS = 1", f"DELAY_TICKS = {DELAY}")
    assert told != source
    played = play(told, [{"BTCUSDT": 100.0 + n} for n in range(30)], delay=DELAY)
    assert played.turns() == [(9, "BUY")]


def test_a_bot_of_the_usual_delay_has_no_word_of_it() -> None:
    for sentence in ("RSI 30/70", "DCA $50 every 100 ticks into BTC", "buy and hold 60/40 BTC/ETH"):
        assert "DELAY" not in source_of(sentence, 1)
        assert "DELAY_TICKS = 5" in source_of(sentence)
