"""Claims: read from an answer, from a file, from words; what contradicts what."""

from __future__ import annotations

import pytest

from arena.submissions.behaviour.claims import (
    Amount,
    Claims,
    Indicator,
    claims_of_answer,
    claims_of_source,
    claims_of_words,
    contradictions,
    merged,
    read_claims,
)

MARKET = ("BTCUSDT", "ETHUSDT")


@pytest.mark.parametrize(
    "answer",
    [
        '```python\nx = 1\n```\n```json\n{"sides": ["BUY"]}\n```',
        '```json\n{"claims": {"sides": ["BUY"]}}\n```\n```python\nx = 1\n```',
        'Claims:\n~~~json claims\n{"sides": ["BUY"], "unknown": 1}\n~~~\n',
        '```json\n{"other": 1}\n```\n```json\n{"sides": ["BUY"]}\n```\n```json\nnot json\n```',
    ],
)
def test_claims_are_found_beside_the_code(answer: str) -> None:
    assert claims_of_answer(answer) == (Claims(sides=("BUY",)), [])


@pytest.mark.parametrize("answer", ["", "no block", "```json\n[1]\n```", "```json\n{\n```", '```json\n{"a": 1}\n```'])
def test_an_answer_without_claims_makes_none(answer: str) -> None:
    assert not claims_of_answer(answer)[0].made


def test_what_cannot_be_used_of_claims_is_left_out_and_said() -> None:
    claims, said = read_claims({"sides": ["HOLD"], "symbols": ["BTCUSDT"], "stop_loss": 7, "order_size": None})
    assert claims == Claims(symbols=("BTCUSDT",))
    assert [each.split()[2] for each in said] == ["sides.0", "stop_loss"]


def test_a_file_may_make_claims_by_a_literal() -> None:
    assert claims_of_source('CLAIMS = {"sides": ["BUY"]}')[0].sides == ("BUY",)
    assert claims_of_source("CLAIMS = dict(sides=1)") == (Claims(), ["CLAIMS is no literal dict."])
    assert claims_of_source("def") == (Claims(), [])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("RSI(14) 30/70", {"sides": ("BUY", "SELL"), "indicators": (Indicator(name="rsi", periods=(14,)),)}),
        ("DCA $50 every 100 ticks into BTC",
         {"symbols": ("BTCUSDT",), "sides": ("BUY",), "order_size": Amount(kind="money", value=50)}),
        ("buy BTC when the price crosses above its 20-tick EMA, sell when it crosses below, 0.01 BTC",
         {"symbols": ("BTCUSDT",), "sides": ("BUY", "SELL"), "order_size": Amount(kind="units", value=0.01),
          "indicators": (Indicator(name="ema", periods=(20,)),)}),
        ("make me rich", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_words_say_what_they_say_and_nothing_that_was_filled_in(words: str, expected: dict[str, object]) -> None:
    assert claims_of_words(words, MARKET) == Claims(**expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "claimed", "names"),
    [
        (Claims(symbols=("A",)), Claims(symbols=("B",)), ["symbols"]),
        (Claims(sides=("BUY", "SELL")), Claims(sides=("SELL", "BUY")), []),
        (Claims(sides=("BUY",)), Claims(sides=("SELL", "BUY")), ["sides"]),
        (Claims(stop_loss=0.02), Claims(stop_loss=0.05), ["stop_loss"]),
        (Claims(stop_loss=0.02), Claims(), []),
        (Claims(order_size=Amount(kind="units", value=1)), Claims(order_size=Amount(kind="money", value=9)), []),
        (Claims(indicators=(Indicator(name="ema", periods=(20,)),)),
         Claims(indicators=(Indicator(name="ema", periods=(21,)),)), ["indicators"]),
    ],
)  # fmt: skip
def test_contradictions_are_named(said: Claims, claimed: Claims, names: list[str]) -> None:
    assert [name for name, _ in contradictions(said, claimed)] == names


def test_words_go_before_claims() -> None:
    found = merged(Claims(sides=("BUY",)), Claims(sides=("BUY", "SELL"), stop_loss=0.1))
    assert found == Claims(sides=("BUY",), stop_loss=0.1)
