"""How much of a bot's result is the bot: what is left under costs, delays, and changes that should not matter.

Costs and delays fill the orders that it made again, later or dearer. Everything else, and later fills too, lets it
play again: on prices of another scale, at other dates, under other names, from a later tick, with other draws of its
own chance, in windows.
A bot that carries the tape by heart loses what it had on a tape that says the same in other words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from arena.core.exchange import USUAL, Conditions, Rules, redeem, settle
from arena.core.ledger import Account, mark
from arena.core.orders import Order, OrderStatus, Side
from arena.core.statistics.bootstrap import resampled_places
from arena.engine.backtest.account import BacktestAccount, OrderRecord, RecordedMarket
from arena.engine.backtest.market import part_of_market
from arena.engine.backtest.report import benchmark
from arena.engine.backtest.run import LOCKSTEP, BotSource, CheckedBot, check_candidates, play_entries
from arena.errors import MarketDataError, RefusedError
from sandbox.pool import Pool

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]
Told = Callable[[float], None]

MIN_TICKS = 200
DELAYS = (1, 2, 5)
SCALE = 1.7
SHIFT = 53 * 7 * 86_400.0  # whole weeks: hour and weekday stay
SEEDS = (1, 2, 3)
WINDOWS = 6
RESAMPLES = 4
_BLOCK = 50.0  # ticks of one piece of a resampled tape, on average
_MOST_BPS = 1000.0
_STANDS_OUT = 3.0  # standard errors
_STEPS = 7 + len(DELAYS) + len(SEEDS) + WINDOWS + RESAMPLES


@dataclass(frozen=True, slots=True)
class Result:
    """One play: equity at every tenth tick and at the last, the orders, the return in percent."""

    ticks: npt.NDArray[np.int64]
    equity: Floats
    orders: tuple[OrderRecord, ...]
    return_pct: float
    trades: int
    mode: str

    def since(self, tick: int) -> Floats:
        """Return the equities at the tenth ticks from `tick` on."""
        values: Floats = self.equity[(self.ticks >= tick) & (self.ticks % 10 == 0)]
        return values


class Plays:
    """Plays one bot again and again; `told` hears how far it has come."""

    def __init__(
        self, pool: Pool, source: bytes, rules: Rules, seed: int | str, told: Told, *, pin: bool = False
    ) -> None:
        self._pool, self._source, self.rules, self._seed, self._pin = pool, source, rules, seed, pin
        self._told, self._done = told, 0
        self.entry = self._checked(source)

    def _checked(self, source: bytes) -> CheckedBot:
        found = check_candidates(self._pool, [BotSource("bot", source)])[0]
        if not found.program:
            raise RefusedError("The bot is refused: `arena check` says why.", list(found.violations))
        return found

    def renamed(self, names: Mapping[str, str]) -> CheckedBot:
        """Return the bot with these symbols renamed in its source; its draws stay those of the source it had."""
        longest_first = sorted(names, key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, longest_first)))
        source = pattern.sub(lambda found: names[found[0]], self._source.decode("utf-8-sig"))
        return replace(self._checked(source.encode()), candidate=self.entry.candidate, bot_name=self.entry.bot_name)

    def play(
        self, market: RecordedMarket, rules: Rules | None = None, *, entry: CheckedBot | None = None, seed: str = ""
    ) -> Result:
        """Play the bot over a market; `seed` draws its chance anew."""
        rules = rules or self.rules
        chance = f"{self._seed}/{seed}" if seed else self._seed
        result = play_entries(
            self._pool, [entry or self.entry], market, rules, seed=chance, run=LOCKSTEP, pin=self._pin
        )[0]
        self._done += 1
        self._told(min(0.99, self._done / _STEPS))
        assert result.play is not None
        return _result(result.play, rules, result.mode)


def _result(play: BacktestAccount, rules: Rules, mode: str) -> Result:
    rows = list(play.ledger.equity)
    return Result(
        np.array([row[0] for row in rows], dtype=np.int64), np.array([row[2] for row in rows]),
        tuple(play.ledger.orders), (play.equity / rules.starting_cash - 1.0) * 100.0, len(play.ledger.trades), mode,
    )  # fmt: skip


# -- filling again --------------------------------------------------------------------------------------------


def filled_again(orders: Sequence[OrderRecord], market: RecordedMarket, rules: Rules, delay: int = 0) -> float:
    """Return the equity at the end where these orders fill by other rules, `delay` ticks later than they did.

    The bot is not asked again: what it would have done otherwise is not known here.
    """
    waiting: dict[int, list[Order]] = {}
    times = market.rows[:, 0]
    for order in orders:
        n = order.settled
        if order.status is OrderStatus.FILLED and order.fill_time is not None:
            n = int(np.searchsorted(times, order.fill_time))
        if n >= 0 and order.size is not None and not order.at_once:
            waiting.setdefault(n + delay, []).append(Order(order.symbol, Side(order.side), order.size))
    ending = [n for n, conditions in market.conditions.items() if conditions.ended]
    account = Account(rules.starting_cash)
    for n in sorted({*waiting, *ending}):
        if n >= len(market):
            break
        conditions: Conditions = market.conditions.get(n, USUAL)
        if conditions.ended:
            account, _ = redeem(account, conditions.ended)
        made = waiting.get(n, [])
        account = settle("bot", account, made, market.prices(n), rules, conditions.barred, market.time(n)).account
    return mark(account, market.last_prices(len(market) - 1)).equity


def _dearer(rules: Rules, cost: str, bps: float) -> Rules:
    return replace(rules, fee_bps=bps) if cost == "fee_bps" else replace(rules, slippage_bps=bps)


def _later(rules: Rules, delay: int) -> Rules:
    return replace(rules, delay_ticks=rules.delay_ticks + delay)


def break_even(orders: Sequence[OrderRecord], market: RecordedMarket, rules: Rules, cost: str) -> float | None:
    """Return the `fee_bps` or `slippage_bps` at which nothing is gained any more.

    None where nothing is gained without that cost; 1000 where more than that is borne. The other cost stays.
    """

    def gains(bps: float) -> bool:
        return filled_again(orders, market, _dearer(rules, cost, bps)) > rules.starting_cash

    if not orders or not gains(0.0):
        return None
    if gains(_MOST_BPS):
        return _MOST_BPS
    low, high = 0.0, _MOST_BPS
    while high - low > 0.05:
        middle = (low + high) / 2.0
        low, high = (middle, high) if gains(middle) else (low, middle)
    return low


# -- other tapes ----------------------------------------------------------------------------------------------


def changed_market(
    market: RecordedMarket, *, scale: float = 1.0, shift: float = 0.0, names: Mapping[str, str] | None = None
) -> RecordedMarket:
    """Return the same market in other words: prices times `scale`, times plus `shift` seconds, symbols renamed.

    Names must sort as the old ones do.
    """
    rows = market.rows.copy()
    rows[:, 0] += shift
    rows[:, 1:] *= scale
    names = names or {}

    def called(symbol: str) -> str:
        return names.get(symbol, symbol)

    conditions = {
        n: Conditions(
            {called(symbol): reason for symbol, reason in each.barred.items()},
            {called(symbol): None if price is None else price * scale for symbol, price in each.ended.items()},
        )
        for n, each in market.conditions.items()
    }
    before = {called(symbol): price * scale for symbol, price in market.before.items()}
    return RecordedMarket(tuple(map(called, market.symbols)), rows, conditions, before)


def resampled_market(market: RecordedMarket, seed: int) -> RecordedMarket:
    """Return a market of the same returns in another order: pieces of it put together anew, all symbols alike."""
    chance = np.random.default_rng([seed, len(market)])
    # NaN stands before a symbol's first price only: there it stays at its first one.
    prices = market.marks[:, 1:].copy()
    for column in prices.T:
        known = np.flatnonzero(np.isfinite(column) & (column > 0.0))
        first = column[known[0]] if len(known) else 1.0
        column[~(np.isfinite(column) & (column > 0.0))] = first
    steps = np.diff(np.log(prices), axis=0)[resampled_places(len(prices) - 1, _BLOCK, chance)]
    rows = market.rows.copy()
    rows[:, 1:] = prices[0] * np.exp(np.concatenate([np.zeros((1, prices.shape[1])), np.cumsum(steps, axis=0)]))
    return RecordedMarket(market.symbols, rows)


# -- what is lost ---------------------------------------------------------------------------------------------


def _standing_out(base: Floats, other: Floats) -> bool:
    """Say whether one way makes more than the other beyond chance: 3 standard errors of the paired differences."""
    size = min(len(base), len(other))
    if size < 10:
        return False
    with np.errstate(divide="ignore", invalid="ignore"):
        differences = np.diff(base[:size]) / base[: size - 1] - np.diff(other[:size]) / other[: size - 1]
    differences = differences[np.isfinite(differences)]
    if len(differences) < 9:
        return False
    deviation = float(np.std(differences, ddof=1))
    return deviation > 0.0 and float(np.mean(differences)) > _STANDS_OUT * deviation / np.sqrt(len(differences))


def _same_orders_pct(base: Sequence[OrderRecord], other: Sequence[OrderRecord], first: int) -> float | None:
    """Return the share of the base's orders from tick `first` on that the other has as well, at the same tick."""
    wanted = [(order.tick - first, order.side) for order in base if order.tick >= first]
    found = {(order.tick, order.side) for order in other}
    return 100.0 * sum(each in found for each in wanted) / len(wanted) if wanted else None


def robustness(
    pool: Pool,
    source: bytes,
    market: RecordedMarket,
    rules: Rules,
    *,
    seed: int | str = 0,
    told: Told = lambda _: None,
    pin: bool = False,
) -> Row:
    """Return what is left of a bot's result on a tape under costs, delays and changes that should not matter.

    It is played in lockstep; `pin` is as of `play_entries`.
    """
    if len(market) < MIN_TICKS:
        raise MarketDataError(
            f"A tape of {len(market)} ticks says nothing of robustness: at least {MIN_TICKS} are needed.", usage=True
        )
    plays = Plays(pool, source, rules, seed, told, pin=pin)
    wanted = plays.entry.symbols
    if not set(wanted) & set(market.symbols):
        raise MarketDataError(
            f"The bot trades {', '.join(wanted)}, and the tape has {', '.join(market.symbols)}: name another.",
            usage=True,
        )
    base = plays.play(market)
    hold = benchmark(market, rules)["return_pct"]
    variants = _variants(plays, market, base)
    costs = _costs(plays, market, base)
    seeds = [plays.play(market, seed=str(n)).return_pct for n in SEEDS]
    made = [plays.play(resampled_market(market, n)).return_pct for n in range(RESAMPLES)]
    by_heart = [each["name"] for each in variants if each["lost"]]
    found: Row = {
        "bot": plays.entry.bot_name, "ticks": len(market), "symbols": list(market.symbols), "mode": base.mode,
        "from": market.time(0), "to": market.time(len(market) - 1),
        "rules": {"starting_cash": rules.starting_cash, "fee_bps": rules.fee_bps, "slippage_bps": rules.slippage_bps,
                  "delay_ticks": rules.delay_ticks},
        "return_pct": base.return_pct, "buy_and_hold_pct": hold, "trades": base.trades,
        "costs": costs,
        "delays": [
            {
                "ticks": delay, "return_pct": _pct(filled_again(base.orders, market, rules, delay), rules),
                "played_again_pct": plays.play(market, _later(rules, delay)).return_pct,
            }
            for delay in DELAYS
        ],
        "variants": variants, "own_chance": {"seeds": len(seeds), "return_pct": seeds},
        "resampled": {"tapes": len(made), "return_pct": made},
        "windows": _windows(plays, market), "by_heart": by_heart,
    }  # fmt: skip
    return {**found, "words": _words(found)}


def play_once(pool: Pool, source: bytes, market: RecordedMarket, rules: Rules, seed: int | str) -> float:
    """Return what a bot makes on a market, in percent."""
    return Plays(pool, source, rules, seed, lambda _: None).play(market).return_pct


def _pct(equity: float, rules: Rules) -> float:
    return (equity / rules.starting_cash - 1.0) * 100.0


def _variants(plays: Plays, market: RecordedMarket, base: Result) -> list[Row]:
    names = {symbol: f"X{symbol}" for symbol in market.symbols}
    later = len(market) // 140 * 10 + 10
    dearer = replace(plays.rules, starting_cash=plays.rules.starting_cash * SCALE)
    tried: list[tuple[str, str, int, Result]] = [
        ("prices x 1.7", "prices, or fixed levels of them", 0,
         plays.play(changed_market(market, scale=SCALE), dearer)),
        ("53 weeks later", "dates", 0, plays.play(changed_market(market, shift=SHIFT))),
        ("symbols renamed", "names, or ways to write them", 0,
         plays.play(changed_market(market, names=names), entry=plays.renamed(names))),
        (f"begun {later} ticks later", "numbers of ticks", later,
         plays.play(part_of_market(market, later, len(market)))),
    ]  # fmt: skip
    rows = []
    for name, known, first, other in tried:
        whole = base.since(first)
        had = base.return_pct if not first else (base.equity[-1] / whole[0] - 1.0) * 100.0
        lost = had > 0.0 and other.return_pct < had / 2.0 and _standing_out(whole, other.since(0))
        rows.append({
            "name": name, "return_pct": other.return_pct, "base_return_pct": float(had), "trades": other.trades,
            "same_orders_pct": _same_orders_pct(base.orders, other.orders, first), "lost": bool(lost),
            "words": f"{name[0].upper()}{name[1:]}: it makes {other.return_pct:+.2f} % instead of {had:+.2f} %"
            + (f": it goes by {known} of this tape." if lost else "."),
        })  # fmt: skip
    return rows


def _costs(plays: Plays, market: RecordedMarket, base: Result) -> list[Row]:
    rows = []
    for cost, word in (("fee_bps", "fee"), ("slippage_bps", "slippage")):
        ends = break_even(base.orders, market, plays.rules, cost)
        again = None
        if ends is not None and ends < _MOST_BPS:
            again = plays.play(market, _dearer(plays.rules, cost, ends)).return_pct
        rows.append({
            "name": cost, "break_even_bps": ends, "played_there_pct": again,
            "words": f"It gains nothing even without any {word}." if ends is None
            else f"It gains at a {word} of {_MOST_BPS:g} bps still." if ends >= _MOST_BPS
            else f"The edge ends at a {word} of {ends:.1f} bps; played again there it makes {again:+.2f} %.",
        })  # fmt: skip
    return rows


def _windows(plays: Plays, market: RecordedMarket) -> list[Row]:
    bounds = np.linspace(0, len(market), WINDOWS + 1).astype(int).tolist()
    rows = []
    for first, end in pairwise(bounds):
        window = part_of_market(market, first, end)
        rows.append({
            "from": window.time(0), "to": window.time(len(window) - 1),
            "return_pct": plays.play(window).return_pct,
            "buy_and_hold_pct": benchmark(window, plays.rules)["return_pct"],
        })  # fmt: skip
    return rows


def _words(found: Row) -> str:
    if not found["trades"]:
        return "It makes no trade on this tape, so that nothing can be said of it."
    if found["by_heart"]:
        return (
            f"What it makes here is lost with {' and '.join(found['by_heart'])}: it knows this tape by heart, or "
            "depends on what should not matter."
        )
    good = sum(each["return_pct"] > 0.0 for each in found["windows"])
    fee = found["costs"][0]["words"]
    of = f"{good} of {len(found['windows'])} windows"
    return f"{fee} It gains in {of}; no change that should not matter takes its result away."
