"""Sound bots meet what is expected of them; a fault of each kind is found, with what shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena.llm.template import Written, write_bot
from arena.submissions.behaviour.claims import Amount, Claims, Indicator
from arena.submissions.behaviour.findings import Check, Finding, Outcome
from arena.submissions.behaviour.suite import Report
from tests.arenas import bot_source
from tests.submissions.behaviour.conftest import FACTS, Examine

BOTS = Path(__file__).parents[3] / "bots"
# A moving average that the price crosses; the parts in braces are where faults go.
CROSS = """
from collections import deque
NAME = "Cross"
SYMBOLS = ["BTCUSDT"]
prices = deque(maxlen={length})
def on_tick(ctx, tick):
    price = ctx.get_price("BTCUSDT")
    if price is None:
        return
    {before}
    prices.append(price)
    if len(prices) < {length}:
        return
    mean = {mean}
    held = ctx.get_position("BTCUSDT")
    if price > mean and held == 0:
        ctx.submit_order("{symbol}", "BUY", {size})
    elif price < mean and held > 0{never}:
        ctx.submit_order("{symbol}", "SELL", held)
"""
WORDS = "buy when the price crosses above its 20-tick SMA, sell when it crosses below, 0.01 BTC"
CLAIMS = Claims(
    symbols=("BTCUSDT",), sides=("BUY", "SELL"), indicators=(Indicator(name="sma", periods=(20,)),),
    order_size=Amount(kind="units", value=0.01),
)  # fmt: skip


def cross(**parts: str) -> str:
    sound = {
        "length": "20", "mean": "sum(prices) / len(prices)", "symbol": "BTCUSDT", "size": "0.01", "never": "",
        "before": "pass",
    }  # fmt: skip
    return CROSS.format(**{**sound, **parts})


def of(report: Report, check: Check) -> Finding:
    return next(each for each in report.findings if each.check is check)


@pytest.mark.parametrize("path", sorted(BOTS.glob("*.py")), ids=lambda path: path.stem)
def test_nothing_is_unmet_in_a_shipped_bot(path: Path, examined: Examine) -> None:
    assert [each.message for each in examined(path.read_text("utf-8")).unmet] == []


@pytest.mark.system
def test_a_sound_bot_meets_its_claims_and_its_words(examined: Examine) -> None:
    report = examined(cross(), CLAIMS, WORDS)
    met = {each.check for each in report.findings if each.outcome is Outcome.MET}
    assert report.unmet == []
    assert met >= {
        Check.RUNS, Check.TRADES, Check.BOTH_SIDES, Check.INDICATOR, Check.ON_TIME, Check.ORDER_SIZE, Check.SYMBOLS,
        Check.ACCEPTED, Check.SPEED, Check.WORDS,
    }  # fmt: skip
    assert set(report.tapes) >= {"swings", "calm", "trend up", "trend down", "crash", "gap", "missing symbol",
                                 "flat", "tiny prices", "huge prices", "late start"}  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "check", "words"),
    [
        ({"size": "0.1"}, Check.ORDER_SIZE, "10 times what was said, 0.01 units"),
        ({"symbol": "ETHUSDT"}, Check.SYMBOLS, "ETHUSDT"),
        ({"never": " and price < 0"}, Check.BOTH_SIDES, "never places a SELL order"),
        ({"mean": "price"}, Check.TRADES, "never places an order"),
        ({"mean": "50.0 * len(prices)"}, Check.BOTH_SIDES, "never places a SELL order"),
        ({"length": "21"}, Check.INDICATOR, "off by one tick"),
        ({"length": "19"}, Check.INDICATOR, "off by one tick"),
        ({"before": "price, ctx.last = ctx.last, price"}, Check.RUNS, "raises AttributeError"),
    ],
)
def test_a_fault_is_found_and_is_hard(parts: dict[str, str], check: Check, words: str, examined: Examine) -> None:
    found = of(examined(cross(**parts), CLAIMS), check)
    assert (found.outcome, found.hard) == (Outcome.NOT_MET, True)
    assert words in found.message
    assert found.tape is not None
    assert found.tick is not None


def test_what_shows_a_finding_is_the_line_that_ordered_with_its_values(examined: Examine) -> None:
    source = cross(size="0.1")
    found = of(examined(source, CLAIMS), Check.ORDER_SIZE)
    assert found.line is not None
    assert '"BUY", 0.1' in source.splitlines()[found.line - 1]
    assert found.values["price"] > found.values["mean"]


@pytest.mark.parametrize("claimed", [True, False])
def test_a_bot_that_acts_one_tick_late_is_found(claimed: bool, examined: Examine) -> None:  # noqa: FBT001
    late = cross(before='price, last["p"] = last.get("p", price), price').replace("prices =", "last = {}\nprices =")
    found = of(examined(late, CLAIMS if claimed else None), Check.ON_TIME)
    assert found.outcome is Outcome.NOT_MET
    assert "one tick late" in found.message
    assert found.hard is claimed


# Decides at every fifth tick; buys where the price has fallen below its mean, and sells above it.
STEPS = """
from collections import deque
NAME = "Steps"
SYMBOLS = ["BTCUSDT", "ETHUSDT"]
values, state = deque(maxlen=40), {{"n": 0, "late": None}}
def on_tick(ctx, tick):
    bitcoin, ether = ctx.get_price("BTCUSDT"), ctx.get_price("ETHUSDT")
    if bitcoin is None or ether is None:
        return
    value = {value}
    {late}
    values.append(value)
    state["n"] += 1
    if state["n"] % 5 or len(values) < 40:
        return
    mean, held = sum(values) / 40, ctx.get_position("BTCUSDT")
    if value < mean and held == 0:
        ctx.submit_order("BTCUSDT", "BUY", 0.01)
    elif value > mean and held > 0:
        ctx.submit_order("BTCUSDT", "SELL", held)
"""
LATE = "value, state['late'] = state['late'] or value, value"


@pytest.mark.parametrize("value", ["bitcoin", "bitcoin / ether"])
@pytest.mark.parametrize(("late", "outcome"), [("pass", Outcome.MET), (LATE, Outcome.NOT_MET)])
def test_a_bot_that_decides_at_some_ticks_only_is_told_from_one_that_is_late(
    value: str, late: str, outcome: Outcome, examined: Examine
) -> None:
    claims = Claims(indicators=(Indicator(name="its own"),))
    assert of(examined(STEPS.format(value=value, late=late), claims), Check.ON_TIME).outcome is outcome


def test_a_late_bot_whose_losses_end_its_trades_at_once_is_found(examined: Examine) -> None:
    body = (
        "p = ctx.get_price('BTCUSDT')\nheld = ctx.get_position('BTCUSDT')\nif p is None: return\n"
        "mean = sum(prices[-20:]) / max(1, len(prices[-20:]))\n"
        "if held and tick['bot']['equity'] < state['best'] * 0.99: ctx.submit_order('BTCUSDT', 'SELL', held)\n"
        "elif len(prices) > 20 and prices[-1] > mean and not held: ctx.submit_order('BTCUSDT', 'BUY', 0.1)\n"
        "elif len(prices) > 20 and prices[-1] < mean and held: ctx.submit_order('BTCUSDT', 'SELL', held)\n"
        "state['best'] = max(state['best'] * 0.999, tick['bot']['equity'])\nprices.append(p)"
    )
    source = bot_source(body, top="prices, state = [], {'best': 0.0}")
    found = of(examined(source, Claims(indicators=(Indicator(name="its own"),))), Check.ON_TIME)
    assert found.outcome is Outcome.NOT_MET


def test_bars_by_the_clock_close_with_the_tick_before(examined: Examine) -> None:
    body = (
        "p = ctx.get_price('BTCUSDT')\nbar = int(tick['time'] // 10)\nheld = ctx.get_position('BTCUSDT')\n"
        "if bar != state.get('bar') and 'p' in state:\n"
        "    closes.append(state['p'])\n    mean = sum(closes[-10:]) / 10\n"
        "    if len(closes) > 10 and closes[-1] > mean and not held: ctx.submit_order('BTCUSDT', 'BUY', 0.01)\n"
        "    if len(closes) > 10 and closes[-1] < mean and held: ctx.submit_order('BTCUSDT', 'SELL', held)\n"
        "state['bar'] = bar\nif p is not None: state['p'] = p"
    )
    report = examined(bot_source(body, top="closes, state = [], {}"), Claims(indicators=(Indicator(name="its own"),)))
    assert of(report, Check.ON_TIME).outcome is Outcome.CANNOT_TELL
    assert report.hard == []


@pytest.mark.parametrize(
    ("window", "outcome", "words"),
    [
        ("prices[-20:]) / 20", Outcome.MET, "right value"),
        ("prices[-21:]) / 21", Outcome.NOT_MET, "'on_tick: sum(prices[-21:]) / 21' shows"),
        ("prices[-21:-1]) / 20", Outcome.NOT_MET, "the tick before"),
    ],
)
def test_a_value_that_a_condition_computes_on_the_spot_is_read(
    window: str, outcome: Outcome, words: str, examined: Examine
) -> None:
    body = (
        "prices.append(ctx.get_price('BTCUSDT') or 0.0)\nheld = ctx.get_position('BTCUSDT')\n"
        f"if len(prices) > 21 and prices[-1] > sum({window} and not held: ctx.submit_order('BTCUSDT', 'BUY', 0.01)\n"
        f"if len(prices) > 21 and prices[-1] < sum({window} and held: ctx.submit_order('BTCUSDT', 'SELL', held)"
    )
    found = of(examined(bot_source(body, top="prices = []"), CLAIMS), Check.INDICATOR)
    assert found.outcome is outcome
    assert words in found.message


def test_an_indicator_that_never_varies_is_named(examined: Examine) -> None:
    body = (
        "price = ctx.get_price('BTCUSDT')\nrsi = 40.0 + 10.0\nif rsi < 30:\n    ctx.submit_order('BTCUSDT', 'BUY', 1)"
    )
    found = of(examined(bot_source(body), Claims(indicators=(Indicator(name="rsi", periods=(14,)),))), Check.INDICATOR)
    assert found.outcome is Outcome.NOT_MET
    assert "'on_tick: rsi' is 50 at every tick" in found.message


@pytest.mark.system
@pytest.mark.parametrize(
    ("body", "check", "hard"),
    [
        ("x = 1 / 0", Check.RUNS, True),
        ("x = 100 / (ctx.get_price('BTCUSDT') or 0)", Check.RUNS, False),
        ("ctx.submit_order('BTCUSDT', 'BUY', 1e9)", Check.ACCEPTED, True),
        ("ctx.submit_order('BTCUSDT', 'buy', 1)", Check.ACCEPTED, True),
        ("ctx.submit_order('BTCUSDT', 'BUY', 1e-9)", Check.CALM, False),
        ("while True: pass", Check.SPEED, True),
    ],
)
def test_what_goes_wrong_while_it_runs_is_found(body: str, check: Check, hard: bool, examined: Examine) -> None:  # noqa: FBT001
    found = of(examined(bot_source(body)), check)
    assert (found.outcome, found.hard) == (Outcome.NOT_MET, hard)


def test_a_threshold_in_money_depends_on_the_scale(examined: Examine) -> None:
    body = (
        "p = ctx.get_price('BTCUSDT')\nif p is None: return\nheld = ctx.get_position('BTCUSDT')\n"
        "if p - seen.get('p', p) > 5 and not held: ctx.submit_order('BTCUSDT', 'BUY', ctx.get_cash() * 0.1 / p)\n"
        "if p - seen.get('p', p) < -5 and held: ctx.submit_order('BTCUSDT', 'SELL', held)\nseen['p'] = p"
    )
    found = of(examined(bot_source(body, top="seen = {}")), Check.SCALE)
    assert (found.outcome, found.hard, found.tape) == (Outcome.NOT_MET, False, "tiny prices")


def test_fixed_price_levels_are_given_a_tape_of_their_own(examined: Examine) -> None:
    body = (
        "p = ctx.get_price('BTCUSDT')\nif p is None: return\nheld = ctx.get_position('BTCUSDT')\n"
        "if p < 45000 and not held: ctx.submit_order('BTCUSDT', 'BUY', 0.1)\n"
        "if p > 95000 and held: ctx.submit_order('BTCUSDT', 'SELL', held)"
    )
    report = examined(bot_source(body), words="buy when the price drops to 45000, sell when it rises to 95000")
    assert report.signals["levels"]
    assert report.unmet == []


def test_a_bot_of_the_clock_is_given_a_week(examined: Examine) -> None:
    body = (
        "hour = datetime.fromtimestamp(tick['time'], timezone.utc).hour\nheld = ctx.get_position('BTCUSDT')\n"
        "if hour == 9 and not held: ctx.submit_order('BTCUSDT', 'BUY', 0.01)\n"
        "if hour == 17 and held: ctx.submit_order('BTCUSDT', 'SELL', held)"
    )
    report = examined(bot_source(body, top="from datetime import datetime, timezone"))
    assert of(report, Check.BOTH_SIDES).outcome is Outcome.MET


@pytest.mark.parametrize(
    "words", ["buy ETH now and sell when it is up 100%", "EMA 20 cross, mondays only, between 9am and 11am"]
)
def test_what_happens_seldom_is_no_fault(words: str, examined: Examine) -> None:
    written = write_bot(words, tuple(FACTS.prices))
    assert isinstance(written, Written)
    assert [each.message for each in examined(written.source, words=words).hard] == []


def test_claims_that_contradict_the_words_are_a_finding(examined: Examine) -> None:
    claims = Claims(order_size=Amount(kind="units", value=0.1))
    found = of(examined(cross(), claims, WORDS), Check.WORDS)
    assert (found.outcome, found.hard) == (Outcome.NOT_MET, True)
    assert "0.01 units" in found.message
    assert "0.1 units" in found.message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (" ", "No words were given that say what it is to do."),
        ("be clever", "The words could not be read without a model."),
    ],
)
def test_words_that_are_not_there_are_told_from_words_that_cannot_be_read(
    examined: Examine, words: str, message: str
) -> None:
    found = of(examined(cross(), Claims(), words), Check.WORDS)
    assert (found.outcome, found.message) == (Outcome.CANNOT_TELL, message)
