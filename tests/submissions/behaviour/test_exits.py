"""Stops, take profits and pauses that were claimed are tried; a bot that leaves one out is found."""

from __future__ import annotations

import pytest

from arena.submissions.behaviour.claims import Claims
from arena.submissions.behaviour.findings import Check, Finding, Outcome
from arena.submissions.behaviour.suite import Report
from tests.arenas import bot_source
from tests.submissions.behaviour.conftest import Examine

# Buys after a rise of 1 % over ten ticks; how it leaves is the part that is tried.
TOP = "from collections import deque\nprices = deque(maxlen=10)\nentry = 0.0\nlast = -1000\nn = 0"
BODY = """global entry, last, n
n += 1
price = ctx.get_price('BTCUSDT')
if price is None:
    return
prices.append(price)
held = ctx.get_position('BTCUSDT')
rise = price / prices[0] - 1
if held == 0 and rise > 0.01 and n - last >= {pause}:
    ctx.submit_order('BTCUSDT', 'BUY', 0.01)
    entry, last = price, n
elif held > 0 and ({leaves}):
    ctx.submit_order('BTCUSDT', 'SELL', held)
    last = n"""
BOTH = "price <= entry * 0.97 or price >= entry * 1.05"


def bot(leaves: str = BOTH, pause: int = 0) -> str:
    return bot_source(BODY.format(leaves=leaves, pause=pause), top=TOP)


def of(report: Report, check: Check) -> Finding:
    return next(each for each in report.findings if each.check is check)


def test_a_bot_that_keeps_its_stop_its_profit_and_its_pause_meets_them(examined: Examine) -> None:
    report = examined(bot(pause=20), Claims(stop_loss=0.03, take_profit=0.05, cooldown_ticks=20))
    assert [of(report, check).outcome for check in (Check.STOP, Check.TAKE_PROFIT, Check.COOLDOWN)] == ["met"] * 3
    assert report.unmet == []


@pytest.mark.parametrize(
    ("leaves", "claims", "check", "words"),
    [
        ("price >= entry * 1.05", Claims(stop_loss=0.03), Check.STOP, "3.3% below its entry"),
        ("price <= entry * 0.9", Claims(stop_loss=0.03), Check.STOP, "was said to be at 3%"),
        ("price <= entry * 0.97", Claims(take_profit=0.05), Check.TAKE_PROFIT, "5.5% above its entry"),
        ("price >= entry * 1.5", Claims(take_profit=0.05), Check.TAKE_PROFIT, "was said to be at 5%"),
    ],
)
def test_a_stop_or_a_profit_that_is_missing_or_elsewhere_is_found(
    leaves: str, claims: Claims, check: Check, words: str, examined: Examine
) -> None:
    found = of(examined(bot(leaves), claims), check)
    assert (found.outcome, found.hard) == (Outcome.NOT_MET, True)
    assert words in found.message
    assert found.tape
    assert found.tick is not None


def test_a_pause_that_is_not_kept_is_found(examined: Examine) -> None:
    found = of(
        examined(bot("price <= entry * 0.999 or price >= entry * 1.001"), Claims(cooldown_ticks=200)), Check.COOLDOWN
    )
    assert (found.outcome, found.hard) == (Outcome.NOT_MET, True)
    assert "a pause of 200 was said" in found.message


def test_a_stop_that_is_read_from_the_words_is_tried(examined: Examine) -> None:
    words = "buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC, stop loss 3%"
    report = examined(bot("price >= entry * 1.05"), Claims(), words)
    assert report.said.stop_loss == 0.03
    assert of(report, Check.STOP).outcome is Outcome.NOT_MET


def test_a_bot_without_positions_cannot_be_told(examined: Examine) -> None:
    report = examined(bot_source("pass"), Claims(stop_loss=0.03, take_profit=0.1, cooldown_ticks=5))
    assert {of(report, check).outcome for check in (Check.STOP, Check.TAKE_PROFIT, Check.COOLDOWN)} == {"cannot tell"}


def test_what_is_not_claimed_is_not_tried(examined: Examine) -> None:
    checks = {each.check for each in examined(bot(), Claims()).findings}
    assert not checks & {Check.STOP, Check.TAKE_PROFIT, Check.COOLDOWN}
