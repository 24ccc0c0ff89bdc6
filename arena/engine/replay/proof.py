"""Proves a bot's record by running it again on the recorded ticks, one at a time, and comparing it all.

The run uses none of the live tick's code but the ledger: what both agree on is right or wrong twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from arena.core.chain import link
from arena.core.exchange import RULES_VERSION, Rules
from arena.core.scoring import SNAPSHOT_EVERY
from arena.engine.backtest.account import BacktestAccount
from arena.engine.backtest.run import hash_source
from arena.engine.replay.replayer import RecordedTicks, Replayer, worker_lifetimes
from arena.engine.rows import EquityColumns, OrderColumns, TradeColumns
from arena.engine.seat import OrderTally
from arena.feeds.synthetic import SyntheticMarket
from arena.store.archive import runtime_facts
from arena.store.bundle import Bundle, event_models, tick_models
from arena.store.seasons import commitment
from sandbox.pool import Pool
from sandbox.talk.gather import gather

Row = Mapping[str, Any]

REPRODUCED, DIFFERS = "reproduced", "differs"
OTHER_RUNTIME, UNPROVED = "different runtime", "not proved"
# Compared are all columns, but for the bot's name in orders.
_ORDER = tuple(name for name in OrderColumns.__annotations__ if name != "bot_name")
_TRADE = tuple(TradeColumns.__annotations__)
_EQUITY = tuple(EquityColumns.__annotations__)
_OPEN = dict.fromkeys(("status", "reason", "fill_time", "fill_price", "fill_size"))


@dataclass(slots=True)
class Proof:
    """What a second run has shown: a status, sentences on every difference, and how much was compared."""

    status: str
    tick: int
    findings: list[str] = field(default_factory=list)
    compared: dict[str, int] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """Return all of it in one line."""
        counts = ", ".join(f"{number:,} {name}" for name, number in self.compared.items())
        more = f" {self.findings[0]}" if self.findings else ""
        return f"{self.status} up to tick {self.tick} ({counts}).{more}"


def verify(pool: Pool, bundle: Bundle, told: Callable[[float], None] = lambda _: None) -> Proof:
    """Run a bundle's bot again and compare every order, fill and equity row.

    `told` is called with the share of the ticks that is done; what it raises ends the run.
    """
    problem = _unprovable(bundle)
    if problem is not None:
        return Proof(UNPROVED, bundle.last, [problem])
    checked = pool.check(bundle.source.encode())
    if not checked.accepted:
        words = str(checked.violations[0]["message"])
        return Proof(UNPROVED, bundle.last, [f"The present policy refuses the source: {words}"])
    again = _run(pool, bundle, checked.program, told)
    if again.problem is not None:
        return Proof(UNPROVED, bundle.last, [f"The bot could not be run to the end: it {again.problem}."])
    return _compare(bundle, again.play, first=_base(bundle))


def _unprovable(bundle: Bundle) -> str | None:
    if hash_source(bundle.source.encode()) != bundle.bot["source_hash"]:
        return "The source is not the one that was admitted: its SHA-256 differs."
    if bundle.season["rules_version"] != RULES_VERSION:
        return f"The season was played by rules {bundle.season['rules_version']}; these are rules {RULES_VERSION}."
    if not bundle.ticks:
        return "The season has no ticks yet."
    numbers = [row["n"] for row in bundle.ticks]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return "Ticks are missing from the record."
    return None


def _run(pool: Pool, bundle: Bundle, program: bytes, told: Callable[[float], None]) -> Replayer:
    season, bot = bundle.season, bundle.bot
    ticks = tick_models(bundle.ticks)
    past = RecordedTicks.of(ticks)
    rules = Rules(season["starting_cash"], season["fee_bps"], season["slippage_bps"], season["fills_a_day"])
    lives = worker_lifetimes(event_models(bundle.events), bundle.last)
    way = Replayer(pool, program, (bundle.entry["bot_name"], int(bot["seed"])), rules, past, lives, run=1)
    try:
        while not way.over:
            ask = way.next_ask()
            if ask is not None:
                way.take(gather([ask])[0])
            told(way.play.sent / max(len(past.market), 1))
    finally:
        if way.worker is not None:
            way.worker.close()
    if bundle.season["status"] == "closed":
        way.play.close()
    return way


def _base(bundle: Bundle) -> int:
    first = int(bundle.ticks[0]["n"])
    return first + 1 if first else 0


def _compare(bundle: Bundle, play: BacktestAccount, first: int) -> Proof:
    name = bundle.entry["bot_name"]
    orders = _settled(bundle, list(_orders(play, name, first)))
    kinds = (
        ("orders", _ORDER, _settled(bundle, bundle.orders), orders),
        ("trades", _TRADE, bundle.trades, list(_trades(play, name, first))),
        ("equity", _EQUITY, bundle.equity, list(_equity(play, name, first, bundle))),
    )
    findings = [
        words for kind, columns, recorded, again in kinds for words in _differences(kind, columns, recorded, again)
    ]
    findings += _chain(bundle, play, first)
    findings += _revealed(bundle)
    compared = {"ticks": len(play.market), **{kind: len(recorded) for kind, _, recorded, _ in kinds}}
    if not findings:
        return Proof(REPRODUCED, bundle.last, [], compared)
    here = runtime_facts()
    if bundle.season["runtime"] and bundle.season["runtime"] != here:
        there = ", ".join(f"{key} {value}" for key, value in bundle.season["runtime"].items())
        return Proof(OTHER_RUNTIME, bundle.last, [f"The season ran on {there}.", *findings], compared)
    return Proof(DIFFERS, bundle.last, findings, compared)


_SHOWN = 10


def _differences(kind: str, columns: Sequence[str], recorded: Sequence[Row], again: Sequence[Row]) -> Iterator[str]:
    """Name the first rows that differ, with what stands there and what came out."""
    shown = 0
    for number, (row, other) in enumerate(zip_longest(recorded, again), 1):
        words = _difference(columns, row, other)
        if words is None:
            continue
        where = row or other or {}
        yield f"{kind} row {number}{_id(row)} (tick {where['tick']}): {words}."
        shown += 1
        # Where a row is missing every later one is shifted: the first says it all.
        if shown == _SHOWN or row is None or other is None:
            return


def _id(row: Row | None) -> str:
    return "" if row is None or row.get("id") is None else f", id {row['id']}"


def _difference(columns: Sequence[str], row: Row | None, other: Row | None) -> str | None:
    if row is None:
        return "is missing from the record"
    if other is None:
        return "does not come out again"
    wrong = [name for name in columns if row[name] != other[name]]
    if not wrong:
        return None
    return ", ".join(f"{name} is recorded as {row[name]!r} and comes out as {other[name]!r}" for name in wrong)


def _settled(bundle: Bundle, rows: Sequence[Row]) -> list[Row]:
    """Return orders without the ends of those made at the last tick: in a running season they are younger."""
    if bundle.season["status"] == "closed":
        return list(rows)
    return [{**row, **_OPEN} if row["tick"] == bundle.last else row for row in rows]


def _orders(play: BacktestAccount, name: str, first: int) -> Iterator[OrderColumns]:
    dropped = _dropped(play)
    for place, order in enumerate(play.ledger.orders):
        if place not in dropped:
            yield order.row(name, first)


def _dropped(play: BacktestAccount) -> set[int]:
    """Return the places of the orders that were rejected beyond their day's allowance, in the season's own order."""
    found = []
    for place, order in enumerate(play.ledger.orders):
        if order.at_once:
            # What `init` asks for stands before the tick's settlement, what the tick itself asks for after it.
            early = order.time != play.market.time(order.tick)
            found.append((order.tick, 0 if early else 2, place, order.time))
        elif order.settled >= 0:
            found.append((order.settled, 1, place, play.market.time(order.settled)))
    tally = OrderTally()
    return {place for _, _, place, time in sorted(found) if not tally.may_record_rejection(time)}


def _trades(play: BacktestAccount, name: str, first: int) -> Iterator[TradeColumns]:
    for trade in play.ledger.trades:
        yield trade.row(name, first)


def _equity(play: BacktestAccount, name: str, first: int, bundle: Bundle) -> Iterator[EquityColumns]:
    """Yield the equity rows from the bot's admission to its retirement."""
    retired = [row["tick"] for row in bundle.events if row["event"] == "retired"]
    end = min([*retired, bundle.last + 1])
    # The last tick has a row of its own once the season is closed, or its recording has been played.
    told = bool(bundle.equity) and bundle.equity[-1]["tick"] == bundle.last
    last = bundle.last if told or bundle.season["status"] == "closed" else None
    for row in play.ledger.equity_rows(name, first):
        tick = row["tick"]
        if bundle.entry["admitted_tick"] <= tick < end and (tick % SNAPSHOT_EVERY == 0 or tick == last):
            yield row


def _revealed(bundle: Bundle) -> Iterator[str]:
    """Say where a closed season's synthetic prices do not follow from its seed, or that from its commitment."""
    season, previous = bundle.season, None
    if season["feed"] != "synthetic" or season["seed"] is None:
        return
    if season["seed_sha256"] not in {"", commitment(season["seed"])}:
        yield "The seed that the season has revealed has not the SHA-256 that it showed."
        return
    market = SyntheticMarket(season["seed"], season["symbols"], season["interval"])
    for row in bundle.ticks:
        n = row["n"]
        if n == 0 or previous is not None:
            expected = market.next(n, previous) if n and previous else market.first()
            if row["prices"] != expected:
                yield f"The prices of tick {n} do not follow from the seed that the season has revealed."
                return
        previous = row["prices"]


def _chain(bundle: Bundle, play: BacktestAccount, first: int) -> Iterator[str]:
    """Compare the running digest over all orders, those whose rows were not kept included."""
    digest, count = "", 0
    wanted, expected = bundle.entry["orders_count"], bundle.entry["orders_digest"]
    for order in play.ledger.orders:
        if count == wanted:
            break
        row = order.row(bundle.entry["bot_name"], first)
        digest = link(
            digest, row["tick"], row["symbol"], row["side"], row["size"], row["reason"] if order.at_once else None
        )
        count += 1
    if (count, digest) != (wanted, expected):
        yield f"The digest over all {wanted} orders does not come out again (after {count})."
