"""One trial of a program: check, behaviour suite, then train and held-out tapes tick by tick.

Only what it did on the train tapes is for anybody to choose by; the held-out figures stand beside.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from arena.core.exchange import Rules
from arena.core.orders import Side
from arena.core.statistics.ratios import MIN_PERIODS, returns_of, sharpe_ratio
from arena.core.text import clean_line
from arena.engine.backtest.account import BacktestAccount
from arena.engine.backtest.market import RecordedMarket, part_of_market
from arena.engine.backtest.run import LOCKSTEP, BotSource, CheckedBot, play_entries
from arena.errors import MarketDataError
from arena.runtime.contract import read_facts
from arena.submissions.behaviour.claims import Claims
from arena.submissions.behaviour.suite import Facts, Subject, examine
from sandbox.pool import Pool

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]
Kind = tuple[str, str, str]
Played = tuple[RecordedMarket, BacktestAccount | None]

STYLES = ("holds", "buys rises", "buys falls", "buys both")
TURNOVERS = ("low turnover", "medium turnover", "high turnover")
DRAWDOWNS = ("shallow drawdown", "medium drawdown", "deep drawdown")
# Times the account is traded in 100 ticks, and percent below the peak, at which the next band begins.
_TURNOVER_BANDS = (0.1, 1.0)
_DRAWDOWN_BANDS = (2.0, 10.0)
# A style is told by the price's change over so many ticks before a buy; one share of buys makes it one or the other.
_LOOK_BACK = 20
_MOST_OF = 0.6
_LOG_LINES = 20


@dataclass(frozen=True, slots=True)
class Tapes:
    """The markets of an evolution, by name: to choose by, and to look at only."""

    train: tuple[tuple[str, RecordedMarket], ...]
    held_out: tuple[tuple[str, RecordedMarket], ...]

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the symbols of the train tapes."""
        return tuple(dict.fromkeys(symbol for _, market in self.train for symbol in market.symbols))


def split_tapes(
    tapes: Sequence[tuple[str, RecordedMarket]], held_out: Sequence[tuple[str, RecordedMarket]], train_share: float
) -> Tapes:
    """Return the tapes, each split in time where none is named as held out: its later part is held out.

    MarketDataError where a side has fewer than 30 periods of returns, below which no Sharpe ratio is given.
    """
    if held_out:
        found = Tapes(tuple(tapes), tuple(held_out))
    else:
        places = [(name, market, math.floor(len(market) * train_share)) for name, market in tapes]
        found = Tapes(
            tuple((name, part_of_market(market, 0, end)) for name, market, end in places),
            tuple((name, part_of_market(market, end, len(market))) for name, market, end in places),
        )
    for side, markets in (("train", found.train), ("held-out", found.held_out)):
        periods = sum(_periods(market) for _, market in markets)
        if periods < MIN_PERIODS:
            raise MarketDataError(
                f"The {side} tapes have {periods} periods of returns, and {MIN_PERIODS} are needed: give longer tapes.",
                usage=True,
            )
    return found


def _periods(market: RecordedMarket) -> int:
    return max(0, len(market.score_ticks) - 1)


@dataclass(slots=True)
class Trial:
    """What a program did; `refused` says why it may not be chosen, "" where it may.

    `train` and `held_out` are the figures by name, with the periodic `returns` among them; both are empty where it was
    not played. `findings` are sentences of what the behaviour suite has not met.
    """

    name: str = ""
    refused: str = ""
    kind: Kind | None = None
    train: Row = field(default_factory=dict)
    held_out: Row = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    claims: Row = field(default_factory=dict)
    log: list[str] = field(default_factory=list)


class Bench:
    """Tries programs on the same tapes, by the same rules."""

    def __init__(self, pool: Pool, tapes: Tapes, rules: Rules, seed: int) -> None:
        self._pool, self._tapes, self._rules, self._seed = pool, tapes, rules, seed
        newest = {s: p for _, market in reversed(tapes.train) for s, p in market.last_prices(len(market) - 1).items()}
        self._facts = Facts(newest, tapes.train[0][1].interval or 1.0, rules)

    def tried(self, source: str, claims: Claims, notes: Sequence[str] = ()) -> Trial:
        """Check a program, hold it against its claims, and play it over all tapes, one tick at a time."""
        data = source.encode()
        checked = self._pool.check(data)
        if not checked.accepted:
            first = checked.violations[0]
            hint = f"{first['message']} {first['hint']}".strip()
            return Trial(refused=f"Line {first['line']}: {hint}")
        try:
            name, symbols = read_facts(checked.facts)
        except ValueError as error:
            return Trial(refused=f"The checker's answer cannot be right: {error}.")
        if not set(symbols) & set(self._tapes.symbols):
            return Trial(name, f"It trades {', '.join(symbols)}; the tapes have {', '.join(self._tapes.symbols)}.")
        report = examine(self._pool, Subject(source, name, symbols, checked.program), claims, "", self._facts, notes)
        found = Trial(
            name, findings=[f"- {each.check.value}: {each.message}" for each in report.unmet],
            claims=report.claims.model_dump(exclude_defaults=True, mode="json"),
        )  # fmt: skip
        if report.hard:
            found.refused = clean_line(f"{report.hard[0].message} {report.hard[0].hint}".strip(), 600)
            return found
        entry = CheckedBot(BotSource(name, data), name, symbols, checked.program)
        train, held_out = self._play(entry, found, self._tapes.train), self._play(entry, found, self._tapes.held_out)
        found.train, found.held_out = figures(train, self._rules), figures(held_out, self._rules)
        plays = [play for _, play in train if play is not None]
        found.log = [f"{level} {text}" for play in plays for _, level, text in play.ledger.logs][-_LOG_LINES:]
        if found.train["sharpe"] is not None:
            found.kind = kind_of(style_of(plays), found.train["turnover"], found.train["max_drawdown_pct"])
        return found

    def _play(self, entry: CheckedBot, found: Trial, tapes: Sequence[tuple[str, RecordedMarket]]) -> list[Played]:
        """Play the tapes in lockstep; a bot sits out those that have none of its symbols."""
        played: list[Played] = []
        for _, market in tapes:
            result = play_entries(self._pool, [entry], market, self._rules, seed=self._seed, run=LOCKSTEP)[0]
            played.append((market, result.play if result.status != "no_market" else None))
            # How it ends on the held-out tapes must not decide whether it is kept.
            if tapes is self._tapes.held_out or found.refused or result.play is None:
                continue
            if result.status == "failed":
                found.refused = clean_line(f"It cannot be loaded: {result.play.ledger.last_error}", 600)
            elif result.endings:
                tick, verdict, reason = result.endings[0]
                found.refused = clean_line(f"At tick {tick} it {reason} ({verdict.name}).", 600)
        return played


def figures(played: Sequence[Played], rules: Rules) -> Row:
    """Return the figures of one bot over several tapes, one after the other; `sharpe` is for one period.

    What it did not play, or not to the end, counts as periods without a return.
    """
    parts = []
    for market, play in played:
        own, periods = np.zeros(_periods(market)), np.empty(0)
        if play is not None:
            periods = returns_of(np.array(play.ledger.score_points))[: len(own)]
        own[: len(periods)] = periods
        parts.append(own)
    returns = np.concatenate(parts)
    plays = [play for _, play in played if play is not None]
    ticks, traded = sum(len(play.market) for play in plays), sum(play.score.traded_value for play in plays)
    grown = math.prod(play.equity / rules.starting_cash for play in plays)
    return {
        "sharpe": sharpe_ratio(returns), "return_pct": (grown - 1.0) * 100.0,
        "max_drawdown_pct": max((play.score.max_drawdown for play in plays), default=0.0) * 100.0,
        "turnover": traded / rules.starting_cash / ticks * 100.0 if ticks else 0.0,
        "trades": sum(len(play.ledger.trades) for play in plays), "errors": sum(play.ledger.errors for play in plays),
        "periods": len(returns), "returns": returns.tolist(),
    }  # fmt: skip


def style_of(plays: Sequence[BacktestAccount]) -> str:
    """Return what a bot buys: what has risen over the last 20 ticks, what has fallen, or both; or that it holds."""
    rises = falls = sells = 0
    for play in plays:
        market = play.market
        for trade in play.ledger.trades:
            if trade.fill.side is Side.SELL:
                sells += 1
                continue
            column = 1 + market.symbols.index(trade.fill.symbol)
            ordered = max(0, trade.tick - play.rules.delay_ticks)
            change = market.marks[ordered, column] - market.marks[max(0, ordered - _LOOK_BACK), column]
            rises += bool(change > 0.0)
            falls += bool(change < 0.0)
    if not sells:
        return STYLES[0]
    told = rises + falls
    if rises >= _MOST_OF * told > 0.0:
        return STYLES[1]
    return STYLES[2] if falls >= _MOST_OF * told > 0.0 else STYLES[3]


def kind_of(style: str, turnover: float, drawdown_pct: float) -> Kind:
    """Return the place in the archive: style, band of turnover a 100 ticks, band of the deepest fall in percent."""
    drawdown = DRAWDOWNS[bisect_right(_DRAWDOWN_BANDS, drawdown_pct)]
    return style, TURNOVERS[bisect_right(_TURNOVER_BANDS, turnover)], drawdown
