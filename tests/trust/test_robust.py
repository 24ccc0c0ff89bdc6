"""What is left of a bot's result: costs and delays worked out again, and a planted bot that knows the tape by heart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from arena.core.exchange import Rules
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.run import BotSource, backtest
from arena.errors import MarketDataError
from arena.trust import robust
from arena.trust.robust import break_even, changed_market, filled_again, resampled_market, robustness
from sandbox.pool import Pool
from sandbox.process.limits import Limits
from tests.arenas import bot_source

RULES = Rules(10_000.0, 2.0, 1.0)
HOLDER = bot_source('if ctx.get_position("BTCUSDT") == 0:\n    ctx.submit_order("BTCUSDT", "BUY", 50)', name="Holder")
FLIPPER = bot_source(
    'held = ctx.get_position("BTCUSDT")\n'
    'price = ctx.get_price("BTCUSDT")\n'
    "seen.append(price)\n"
    "if len(seen) > 5 and held == 0 and price < seen[-4]:\n"
    '    ctx.submit_order("BTCUSDT", "BUY", 20)\n'
    "elif held and price > seen[-4]:\n"
    '    ctx.submit_order("BTCUSDT", "SELL", held)',
    name="Flipper", top="seen = []",
)  # fmt: skip


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    made = Pool("arena.runtime.bot:BotRuntime", Limits(tick_cpu_soft=5.0, tick_cpu_hard=20.0, uid_base=34_000))
    made.start()
    yield made
    made.stop()


def tape(ticks: int = 600, seed: int = 5, drift: float = 2e-4) -> RecordedMarket:
    chance = np.random.default_rng(seed)
    prices = 100.0 * np.exp(np.cumsum(chance.normal(drift, 2e-3, ticks)))
    return RecordedMarket(("BTCUSDT",), np.column_stack([1.7e9 + 60.0 * np.arange(ticks), prices]))


def by_heart(market: RecordedMarket, key: str) -> str:
    """Return a bot that buys before each rise of this tape and sells before each fall, told by tick, time or price."""
    prices = market.rows[:, 1]
    rises = np.flatnonzero(prices[2:] > prices[1:-1] * 1.001)
    falls = np.flatnonzero(prices[2:] < prices[1:-1] * 0.999)
    known = {
        "tick": (int, "count[0]"),
        "time": (lambda n: int(market.time(n)), 'int(tick["time"])'),
        "price": (lambda n: round(float(prices[n]), 6), 'round(ctx.get_price("BTCUSDT"), 6)'),
    }
    of, now = known[key]
    bought, sold = (", ".join(str(of(n)) for n in places) for places in (rises, falls))
    top = f"RISES = {{{bought}}}\nFALLS = {{{sold}}}\ncount = [-1]"
    body = (
        f"count[0] += 1\nnow = {now}\n"
        'held = ctx.get_position("BTCUSDT")\n'
        'if now in RISES and held == 0:\n    ctx.submit_order("BTCUSDT", "BUY", 50)\n'
        'elif now in FALLS and held:\n    ctx.submit_order("BTCUSDT", "SELL", held)'
    )
    return bot_source(body, name="Oracle", top=top)


def orders_of(pool: Pool, source: str, market: RecordedMarket) -> tuple[float, list]:
    play = backtest(pool, [BotSource("x", source.encode())], market, RULES)[0].play
    assert play is not None
    return play.equity, list(play.ledger.orders)


def test_orders_filled_again_by_the_same_rules_make_the_same_equity(pool: Pool) -> None:
    market = tape()
    equity, orders = orders_of(pool, FLIPPER, market)
    assert len(orders) > 20
    assert filled_again(orders, market, RULES) == equity
    assert filled_again(orders, market, Rules(10_000.0, 20.0, 1.0)) < equity
    assert filled_again(orders, market, RULES, 5) != equity


def test_the_edge_ends_where_the_fee_eats_what_a_holder_gains(pool: Pool) -> None:
    rows = tape().rows
    rows[:, 1] = np.linspace(100.0, 103.0, len(rows))
    market = RecordedMarket(("BTCUSDT",), rows)
    _, orders = orders_of(pool, HOLDER, market)
    ends = break_even(orders, market, RULES, "fee_bps")
    # It buys at the second tick's price and one bp of slippage, pays the fee once, and holds to the end.
    bought = rows[1, 1] * 1.0001
    assert ends == pytest.approx((rows[-1, 1] / bought - 1.0) * 1e4, abs=0.1)
    falling = RecordedMarket(("BTCUSDT",), np.column_stack([rows[:, 0], rows[::-1, 1]]))
    assert break_even(orders_of(pool, HOLDER, falling)[1], falling, RULES, "fee_bps") is None


@pytest.mark.system
@pytest.mark.parametrize(
    ("key", "lost"), [("tick", "ticks later"), ("time", "53 weeks later"), ("price", "prices x 1.7")]
)
def test_a_bot_that_knows_the_tape_by_heart_is_found(pool: Pool, key: str, lost: str) -> None:
    market = tape()
    found = robustness(pool, by_heart(market, key).encode(), market, RULES)
    assert found["return_pct"] > 10.0
    assert any(lost in name for name in found["by_heart"]), found["variants"]
    assert "by heart" in found["words"]
    # On a tape of the same returns in another order it knows nothing.
    assert max(found["resampled"]["return_pct"]) < found["return_pct"] / 2


@pytest.mark.system
@pytest.mark.parametrize("source", [HOLDER, FLIPPER], ids=["holder", "flipper"])
def test_an_honest_bot_is_not_taken_for_one(pool: Pool, source: str) -> None:
    market = tape()
    found = robustness(pool, source.encode(), market, RULES)
    assert found["by_heart"] == []
    same = {each["name"]: each["same_orders_pct"] for each in found["variants"]}
    assert same["53 weeks later"] == same["symbols renamed"] == 100.0
    assert len(found["windows"]) == robust.WINDOWS
    assert [each["ticks"] for each in found["delays"]] == [1, 2, 5]
    assert all(isinstance(each["played_again_pct"], float) for each in found["delays"])


def test_other_draws_of_its_own_chance_are_played(pool: Pool) -> None:
    gambler = bot_source(
        'import random\nif random.random() < 0.2:\n    ctx.submit_order("BTCUSDT", "BUY", 1)', name="Gambler"
    )
    found = robustness(pool, gambler.encode(), tape(240), RULES)
    assert found["mode"] == "lockstep"
    assert len(set(found["own_chance"]["return_pct"])) > 1


def test_a_tape_that_is_too_short_says_so(pool: Pool) -> None:
    with pytest.raises(MarketDataError, match="50 ticks says nothing of robustness: at least 200"):
        robustness(pool, HOLDER.encode(), tape(50), RULES)


def test_a_resampled_tape_has_the_returns_of_the_first_in_another_order() -> None:
    market = tape()
    made = resampled_market(market, 1)
    steps, known = np.diff(np.log(made.rows[:, 1])), np.diff(np.log(market.rows[:, 1]))
    assert made.rows[0, 1] == market.rows[0, 1]
    assert np.isin(np.round(steps, 9), np.round(known, 9)).all()
    assert not np.allclose(steps, known)


def test_a_market_in_other_words_keeps_its_order_of_symbols() -> None:
    rows = np.array([[1.0, 10.0, 20.0], [2.0, 11.0, 21.0]])
    market = changed_market(RecordedMarket(("A", "B"), rows), scale=2.0, shift=10.0, names={"A": "XA", "B": "XB"})
    assert market.symbols == ("XA", "XB")
    assert market.rows.tolist() == [[11.0, 20.0, 40.0], [12.0, 22.0, 42.0]]
