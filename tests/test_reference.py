"""The reference is right by hand-made examples; the exchange is right by the reference.

Long because examples, properties and the odd inputs share one set of generators.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from arena.core.exchange import Holding, Rules, settle, step
from arena.core.ledger import Account, Position, mark
from arena.core.orders import Fill, Order, Rejection, Side, check_order
from tests import reference

A, B = "AAA", "BBB"
# A busy machine is no reason to fail.
PATIENT = settings(deadline=None)
START = 10_000.0


def bot(body: str, init: str = "pass") -> str:
    """A bot whose `on_tick` runs `body`, with `n` counting the ticks from 0."""
    lines = [
        'NAME = "X"', 'SYMBOLS = ["AAA"]', "import time, random, datetime", "n = -1",
        "def init(ctx):", f"    {init}",
        "def on_tick(ctx, tick):", "    global n", "    n += 1",
        *(f"    {line}" for line in body.splitlines()),
    ]  # fmt: skip
    return "\n".join(lines)


def run(body: str, prices: Sequence[float], init: str = "pass", **more: Any) -> reference.Result:
    times = [100.0 + n for n in range(len(prices))]
    return reference.run(bot(body, init), times, [{A: price} for price in prices], **more)


BUY = 'ctx.submit_order("AAA", "BUY", {})'
SELL = 'ctx.submit_order("AAA", "SELL", {})'


class TestByHand:
    def test_an_order_fills_at_the_next_ticks_price(self) -> None:
        result = run(f"if n == 0: {BUY.format(2)}", [100.0, 110.0, 120.0])
        (fill,) = result.fills
        assert (fill.time, fill.size, fill.price) == (101.0, 2.0, 110.0)
        assert (fill.cash_after, fill.position_after) == (9780.0, 2.0)
        assert (result.equity, result.unrealized, result.realized) == (10_020.0, 20.0, 0.0)
        assert result.equity_curve == [(100.0, 10_000.0), (101.0, 10_000.0), (102.0, 10_020.0)]

    def test_average_cost_and_realised_profit(self) -> None:
        body = f"if n == 0: {BUY.format(1)}\nif n == 1: {BUY.format(3)}\nif n == 2: {SELL.format(2)}"
        result = run(body, [1.0, 100.0, 200.0, 300.0])
        # Average (100 + 3 x 200) / 4 = 175; selling 2 at 300 locks in 250.
        assert result.averages == {A: 175.0}
        assert result.positions == {A: 2.0}
        assert result.realized == result.fills[-1].realized == 250.0
        assert result.cash == 10_000 - 100 - 600 + 600
        assert result.unrealized == 250.0
        assert result.equity == 10_500.0

    def test_fees_and_slippage_stand_in_a_column_of_their_own(self) -> None:
        body = f"if n == 0: {BUY.format(10)}\nif n == 1: {SELL.format(10)}"
        result = run(body, [1.0, 100.0, 100.0], fee_bps=100.0, slippage_bps=200.0)
        buy, sell = result.fills
        assert (buy.price, sell.price) == (102.0, 98.0)
        assert (buy.fee, sell.fee) == pytest.approx((10.2, 9.8))
        assert result.realized == pytest.approx(-40.0)
        assert result.cash == pytest.approx(10_000 - 1020 - 10.2 + 980 - 9.8)
        assert result.positions == {}

    def test_a_sell_is_clamped_and_the_filled_size_is_recorded(self) -> None:
        body = f"if n == 0: {BUY.format(1)}\nif n == 1: {SELL.format(5)}"
        result = run(body, [100.0, 100.0, 100.0])
        assert result.fills[1].size == 1.0
        assert result.orders[1].size == 5
        assert result.positions == {}

    def test_cash_that_just_suffices_passes_and_a_cent_less_does_not(self) -> None:
        assert len(run(f"if n == 0: {BUY.format(100)}", [1.0, 100.0]).fills) == 1
        result = run(f"if n == 0: {BUY.format(101)}", [1.0, 100.0])
        assert result.rejections[0].reason == ("Bot 'X' has insufficient cash: $10000.00 < $10100.00")

    @pytest.mark.parametrize(
        ("order", "reason"),
        [
            (SELL.format(1), "Bot 'X' has no position in AAA to sell"),
            ('ctx.submit_order("ZZZ", "BUY", 1)', "No price available for ZZZ"),
            ('ctx.submit_order("AAA", "buy", 1)', "Unknown order side"),
            ("ctx.submit_order(5, 'BUY', 1)", "Invalid symbol"),
            *((BUY.format(size), "Invalid order size") for size in
              ("0", "-1", "True", "None", "'1'", "float('nan')", "float('inf')", "10**400")),
        ],
    )  # fmt: skip
    def test_each_fault_has_its_sentence(self, order: str, reason: str) -> None:
        (rejected,) = run(f"if n == 0: {order}", [1.0, 1.0]).rejections
        assert rejected.reason.startswith(reason)
        assert rejected.time == 100.0

    def test_the_hundred_and_first_order_of_a_tick_is_refused(self) -> None:
        result = run(f"for _ in range(101): {BUY.format(0.01)}", [1.0, 1.0])
        assert [order.status for order in result.orders[:101]] == ["filled"] * 100 + ["rejected"]
        assert result.orders[100].reason.startswith("Too many orders")
        assert result.orders[101].status == "expired"

    def test_init_sees_nothing_and_its_orders_fill_at_the_first_priced_tick(self) -> None:
        init = f"ctx.log((ctx.get_price('AAA'), ctx.get_cash(), time.time())); {BUY.format(1)}"
        prices = [math.nan, 50.0]
        result = run("ctx.log(tick['bot']['positions'])", prices, init)
        assert result.logs == [(0.0, "(None, 10000.0, 0.0)"), (101.0, "{'AAA': 1.0}")]
        assert result.fills[0].time == 101.0
        assert result.ticks == 1

    def test_time_is_the_ticks_and_chance_is_the_seeds(self) -> None:
        body = "ctx.log((time.time(), datetime.datetime.now().second, random.random()))"
        first, again, other = (run(body, [1.0, 1.0], seed=seed).logs for seed in (1, 1, 2))
        assert first == again != other
        assert first[0][1].startswith("(100.0, 40, ")

    def test_an_error_is_a_line_in_the_record_and_the_bot_goes_on(self) -> None:
        result = run(f"if n == 0: 1 / 0\n{BUY.format(1)}", [1.0, 1.0, 1.0], init="1 / 0")
        assert result.errors == [
            (0.0, "Error in bot 'X' init: division by zero"),
            (100.0, "Error in bot 'X' on_tick: division by zero"),
        ]
        assert len(result.fills) == 1


money = st.floats(1e-3, 1e6)
bps = st.sampled_from([0.0, 1.0, 7.5, 100.0])
requests = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from([A, B, "ZZZ"]), st.sampled_from(["BUY", "SELL"]),
              st.one_of(st.floats(1e-6, 1e5), st.integers(1, 100))),
    max_size=40,
)  # fmt: skip
markets = st.lists(st.fixed_dictionaries({A: money, B: money}), min_size=11, max_size=11)
rules_of = st.builds(Rules, st.floats(1.0, 1e7), bps, bps)

Request = tuple[int, str, str, float]


@dataclass
class Played:
    """What the exchange makes of a list of requests, tick by tick."""

    account: Account
    outcomes: list[Fill | Rejection]
    equity: list[float]
    unrealized: float
    closest: float


def play(asked: list[Request], market: list[dict[str, float]], rules: Rules) -> Played:
    """Settle each tick's requests at the next tick with the arena's own exchange."""
    played = Played(Account(rules.starting_cash), [], [], 0.0, math.inf)
    for n, prices in enumerate(market):
        pending = [Order(s, Side(d), float(z)) for at, s, d, z in asked if at == n - 1]
        for order in pending:
            before = played.account
            settled = settle("X", before, [order], prices, rules)
            played.account = settled.account
            played.outcomes += settled.outcomes
            if order.side is Side.BUY and order.symbol in prices:
                price = rules.fill_price(Side.BUY, prices[order.symbol])
                cost = price * order.size + rules.fee(price, order.size)
                played.closest = min(played.closest, abs(before.cash - cost) / cost)
        value = mark(played.account, prices)
        played.equity.append(value.equity)
        played.unrealized = value.unrealized
    return played


def by_reference(asked: list[Request], market: list[dict[str, float]], rules: Rules) -> reference.Result:
    body = "for at, symbol, side, size in ASKED:\n    if at == n: ctx.submit_order(symbol, side, size)"
    source = f"ASKED = {asked!r}\n" + bot(body)
    times = [float(n) for n in range(len(market))]
    return reference.run(
        source, times, market,
        starting_cash=rules.starting_cash, fee_bps=rules.fee_bps, slippage_bps=rules.slippage_bps,
    )  # fmt: skip


def near(value: float, *, scale: float) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-9 * scale)


@PATIENT
@given(requests, markets, rules_of)
def test_the_exchange_agrees_with_the_reference(
    asked: list[Request], market: list[dict[str, float]], rules: Rules
) -> None:
    asked.sort(key=lambda request: request[0])
    played, result = play(asked, market, rules), by_reference(asked, market, rules)
    # Where cash and cost agree to the last digits, the order of two additions decides.
    assume(played.closest > 1e-12)
    scale = max(1.0, rules.starting_cash, *map(abs, played.equity))
    orders = [order for order in result.orders if order.status != "expired"]
    assert len(orders) == len(played.outcomes)
    fills = iter(result.fills)
    for mine, theirs in zip(orders, played.outcomes, strict=True):
        if isinstance(theirs, Rejection):
            assert mine.status == "rejected"
            assert mine.reason.split("$")[0] == theirs.reason.split("$")[0]
            continue
        fill = next(fills)
        assert (fill.symbol, fill.side) == (theirs.symbol, theirs.side.value)
        assert theirs.size == near(fill.size, scale=1e-3)
        assert theirs.price == near(fill.price, scale=0.0)
        assert theirs.fee == near(fill.fee, scale=scale)
        assert theirs.realized == near(fill.realized, scale=scale)
        assert theirs.cash_after == near(fill.cash_after, scale=scale)
        assert theirs.position_after == near(fill.position_after, scale=1.0)
    assert played.account.cash == near(result.cash, scale=scale)
    assert played.account.realized == near(result.realized, scale=scale)
    assert played.account.fees == near(result.fees, scale=scale)
    assert played.unrealized == near(result.unrealized, scale=scale)
    assert played.equity == [near(equity, scale=scale) for _, equity in result.equity_curve]


@PATIENT
@given(requests, markets, rules_of)
def test_money_is_neither_made_nor_lost(asked: list[Request], market: list[dict[str, float]], rules: Rules) -> None:
    asked.sort(key=lambda request: request[0])
    played = play(asked, market, rules)
    account, fills = played.account, [o for o in played.outcomes if isinstance(o, Fill)]
    traded = sum(fill.size * fill.price for fill in fills)
    scale = max(1.0, rules.starting_cash, traded, *map(abs, played.equity))
    paid = sum(
        (fill.size * fill.price if fill.side is Side.BUY else -fill.size * fill.price) + fill.fee for fill in fills
    )
    assert account.cash == near(rules.starting_cash - paid, scale=scale)
    held = sum(account.size_of(symbol) * market[-1][symbol] for symbol in account.positions)
    assert played.equity[-1] == near(account.cash + held, scale=scale)
    gained = account.realized + played.unrealized - account.fees
    assert played.equity[-1] - rules.starting_cash == near(gained, scale=scale)
    assert account.fees == near(sum(fill.fee for fill in fills), scale=scale)
    assert list(account.positions) == sorted(account.positions)
    for fill in fills:
        assert fill.cash_after >= 0.0
        assert fill.position_after >= 0.0
    assert all(position.size > 0.0 for position in account.positions.values())


@pytest.mark.system
@PATIENT
@given(requests, requests, markets, rules_of)
def test_a_bots_result_does_not_depend_on_who_else_plays(
    mine: list[Request], others: list[Request], market: list[dict[str, float]], rules: Rules
) -> None:
    def orders(asked: list[Request]) -> tuple[Order, ...]:
        return tuple(Order(s, Side(d), float(z)) for _, s, d, z in asked)

    account = Account(rules.starting_cash, {A: Position(1.0, 5.0)})
    me, them = Holding("X", account, orders(mine)), Holding("Y", account, orders(others))
    prices = market[0]
    (alone,) = step([me], prices, prices, rules)
    among = step([them, me, them], prices, prices, rules)
    assert among[1] == alone
    assert account == Account(rules.starting_cash, {A: Position(1.0, 5.0)})


class Liar(float):
    def __gt__(self, other: object) -> bool:
        return True

    def __float__(self) -> float:
        raise RuntimeError

    __repr__ = __str__ = __float__  # type: ignore[assignment]


class LyingInt(int):
    def __float__(self) -> float:
        return 1.0

    def bit_length(self) -> int:
        raise RuntimeError


class LyingStr(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __len__(self) -> int:
        raise RuntimeError

    __hash__ = str.__hash__


class Explosive:
    def _burst(self, *_: object) -> Any:
        raise RuntimeError("boom")

    __eq__ = __float__ = __index__ = __repr__ = __str__ = __len__ = __bool__ = _burst
    __hash__ = __getattr__ = __iter__ = __gt__ = __lt__ = __format__ = _burst


class Masked:
    """An object that says it is a float when asked politely."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        return float


class BurstingMeta(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError

    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise RuntimeError


def forged_meta() -> object:
    return BurstingMeta("T", (), {})()


def forged_numpy() -> object:
    def burst(_self: object) -> float:
        raise RuntimeError

    return type("float64", (), {"__module__": "numpy", "__float__": burst})()


def cyclic() -> list[Any]:
    itself: list[Any] = []
    itself.append(itself)
    return itself


GOOD_SIZES = [
    1, 0.5, 5e-324, 1.7e308, 10**300, np.float64(1.0), np.float32(1.0), np.float16(1.0),
    np.longdouble(1.0), np.int8(1), np.uint64(2**64 - 1), np.longlong(1), np.intc(3),
]  # fmt: skip
BAD_VALUES = [
    math.nan, math.inf, -math.inf, 0, 0.0, -0.0, -1, True, False, None, 10**400, -(10**5000),
    "1", "", "\ud800", "x" * 10_000, b"BUY", bytearray(b"1"), 1j, Decimal(1), Decimal("NaN"),
    Fraction(1, 2), [], {}, (), set(), cyclic(), object(), float, lambda: 1, NotImplemented, ...,
    Liar(1.0), LyingInt(5), LyingStr("BUY"), Explosive(), Masked(), Side.BUY,
    np.bool_(1), np.float64("nan"), np.float64("inf"), np.int64(0), np.float32(-1),
    np.array(1.0), np.array([1.0, 2.0]), np.array([]), np.array(["BUY"]), np.complex128(1),
    np.str_("BUY"), np.datetime64("2020-01-01"), np.timedelta64(1), np.ma.masked,
]  # fmt: skip
FORGED = [
    (forged_numpy, 2),
    *((forged_meta, place) for place in range(3)),
]


def assert_sane(outcome: Order | Rejection) -> None:
    """Whatever was asked, what comes out is made of plain values that can be stored and sent."""
    if isinstance(outcome, Order):
        assert type(outcome.symbol) is str
        assert type(outcome.side) is Side
        assert type(outcome.size) is float
        assert math.isfinite(outcome.size)
        assert outcome.size > 0.0
        return
    assert type(outcome.symbol) is type(outcome.side) is type(outcome.reason) is str
    assert outcome.size is None or (type(outcome.size) is float and math.isfinite(outcome.size))
    assert len(outcome.reason) < 300
    json.dumps([outcome.symbol, outcome.side, outcome.size, outcome.reason])


@pytest.mark.parametrize("size", GOOD_SIZES, ids=lambda size: type(size).__name__)
def test_every_kind_of_real_number_is_a_size(size: object) -> None:
    outcome = check_order(A, "BUY", size, 0)
    assert_sane(outcome)
    assert isinstance(outcome, Order)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("index", range(len(BAD_VALUES)))
def test_no_value_in_any_place_raises_or_gets_through(index: int, place: int) -> None:
    bad = BAD_VALUES[index]
    asked: list[object] = [A, "BUY", 1.0]
    asked[place] = bad
    symbol, side, size = asked
    outcome = check_order(symbol, side, size, 0)
    assert_sane(outcome)
    if isinstance(outcome, Order):
        assert place == 0
        assert type(bad) is str


@pytest.mark.parametrize(("make", "place"), FORGED)
def test_forged_types_do_not_raise_either(make: Any, place: int) -> None:
    asked: list[object] = [A, "BUY", 1.0]
    asked[place] = make()
    symbol, side, size = asked
    outcome = check_order(symbol, side, size, 0)
    assert_sane(outcome)
    assert isinstance(outcome, Rejection)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.decimals() | st.fractions() | st.complex_numbers() | st.sampled_from(["BUY", "SELL", A]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@PATIENT
@given(anything, anything, anything, st.integers(0, 200))
@example(A, "BUY", 1.0, 100)
def test_the_check_is_total(symbol: object, side: object, size: object, already: int) -> None:
    outcome = check_order(symbol, side, size, already)
    assert_sane(outcome)
    if already >= 100:
        assert isinstance(outcome, Rejection)
        assert outcome.reason.startswith("Too many orders")


@PATIENT
@given(st.floats(1e-300, 1.7e308), st.floats(5e-324, 1.7e308), st.floats(5e-324, 1.7e308), bps)
def test_extreme_numbers_never_make_an_account_that_is_not_finite(
    price: float, size: float, later: float, fee: float
) -> None:
    rules = Rules(START, fee, 0.0)
    orders = [Order(A, Side.BUY, size), Order(A, Side.BUY, size)]
    account = settle("X", Account(START), orders, {A: price}, rules).account
    account = settle("X", account, [Order(A, Side.SELL, size)], {A: later}, rules).account
    assert math.isfinite(account.cash)
    assert account.cash >= 0.0
    assert math.isfinite(account.realized)
    assert math.isfinite(account.fees)
    assert all(math.isfinite(p.size) and p.size > 0.0 for p in account.positions.values())
    assert all(math.isfinite(p.average) for p in account.positions.values())
