"""Proves a bot's record by running it again on the recorded ticks, and comparing it all.

Of the live tick's code the run uses the ledger only, so that a fault of the live tick shows as a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from arena.core.chain import link
from arena.core.exchange import RULES_VERSION, Rules
from arena.core.scoring import RANKED_EVERY
from arena.engine.backtest.account import BacktestAccount
from arena.engine.backtest.run import hash_source
from arena.engine.replay.replayer import RUN, RecordedTicks, Replayer, advance, ask_on, worker_lifetimes
from arena.engine.replay.tape import TickTape
from arena.engine.rows import EquityColumns, OrderColumns, TradeColumns
from arena.engine.seat import OrderTally
from arena.errors import StoreError
from arena.feeds.synthetic import SyntheticMarket
from arena.store.archive import runtime_facts
from arena.store.bundle import Bundle, StoredRecord, event_models, tick_models
from arena.store.seasons import commitment
from sandbox.pool import Pool
from sandbox.talk.gather import gather
from sandbox.talk.wait import WorkerSelector

Row = Mapping[str, Any]
Record = Bundle | StoredRecord

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


def verify(pool: Pool, record: Record, told: Callable[[float], None] = lambda _: None) -> Proof:
    """Run a record's bot again and compare every order, fill and equity row.

    It plays in run-ahead first; only where something differs it plays again in lockstep, whose result counts.
    `told` is called with the share of the ticks that is done; what it raises ends the run.
    """
    problem = _unprovable(record)
    if problem is not None:
        return Proof(UNPROVED, record.last, [problem])
    checked = pool.check(record.source.encode())
    if not checked.accepted:
        words = str(checked.violations[0]["message"])
        return Proof(UNPROVED, record.last, [f"The present policy refuses the source: {words}"])
    try:
        past = _past(record, lambda: told(0.0))
    except StoreError:
        return Proof(UNPROVED, record.last, [_MISSING])
    proof = _prove(pool, record, past, checked.program, RUN, told)
    if proof.status == REPRODUCED:
        return proof
    return _prove(pool, record, past, checked.program, 1, told)


def _prove(
    pool: Pool, record: Record, past: RecordedTicks, program: bytes, run: int, told: Callable[[float], None]
) -> Proof:
    again = _run(pool, record, past, program, run, told)
    if again.problem is not None:
        return Proof(UNPROVED, record.last, [f"The bot could not be run to the end: it {again.problem}."])
    return _compare(record, again.play, first=past.base)


_MISSING = "Ticks are missing from the record."


def _past(record: Record, keep_on: Callable[[], None]) -> RecordedTicks:
    """Return the ticks of a record; StoreError where one is missing."""
    if isinstance(record, StoredRecord):
        tape = TickTape(record.engine, record.season["id"], record.season["symbols"], record.last, keep_on)
        return tape.since(record.first)
    return RecordedTicks.of(tick_models(record.ticks), record.season["symbols"])


def _unprovable(record: Record) -> str | None:
    if hash_source(record.source.encode()) != record.bot["source_hash"]:
        return "The source is not the one that was admitted: its SHA-256 differs."
    if record.season["rules_version"] != RULES_VERSION:
        return f"The season was played by rules {record.season['rules_version']}; these are rules {RULES_VERSION}."
    if record.last < 0:
        return "The season has no ticks yet."
    if isinstance(record, Bundle):
        numbers = [row["n"] for row in record.ticks]
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            return _MISSING
    return None


def _run(
    pool: Pool, record: Record, past: RecordedTicks, program: bytes, run: int, told: Callable[[float], None]
) -> Replayer:
    season, bot = record.season, record.bot
    rules = Rules.of(season)
    lives = worker_lifetimes(event_models(record.events), record.last)
    way = Replayer(pool, program, (record.entry["bot_name"], int(bot["seed"])), rules, past, lives, run=run)
    total = max(len(past.market), 1)
    try:
        if run == 1:
            _go_in_lockstep(way, lambda: told(way.play.sent / total))
        else:
            with WorkerSelector[None]() as selector:
                ask_on(selector, None, way)
                while selector:
                    for _, answer in selector.turn():
                        advance(selector, None, way, answer)
                    told(way.play.sent / total)
    finally:
        way.close()
    if record.season["status"] == "closed":
        way.play.close()
    return way


def _go_in_lockstep(way: Replayer, keep_on: Callable[[], None]) -> None:
    while not way.over:
        ask = way.next_ask()
        if ask is not None:
            way.take(gather([ask])[0])
        keep_on()


def _compare(record: Record, play: BacktestAccount, first: int) -> Proof:
    name = record.entry["bot_name"]
    recorded = {kind: _Counted(record.rows(kind)) for kind in ("orders", "trades", "equity")}
    orders = _settled(record, _orders(play, name, first))
    findings = [
        *_differences("orders", _ORDER, _settled(record, recorded["orders"]), orders),
        *_differences("trades", _TRADE, recorded["trades"], _trades(play, name, first)),
        *_differences("equity", _EQUITY, recorded["equity"], _equity(play, name, first, record)),
    ]
    findings += _chain(record, play, first)
    findings += _revealed(record)
    compared = {"ticks": record.last - record.first + 1, **{kind: rows.whole() for kind, rows in recorded.items()}}
    if not findings:
        return Proof(REPRODUCED, record.last, [], compared)
    here = runtime_facts()
    if record.season["runtime"] and record.season["runtime"] != here:
        there = ", ".join(f"{key} {value}" for key, value in record.season["runtime"].items())
        return Proof(OTHER_RUNTIME, record.last, [f"The season ran on {there}.", *findings], compared)
    return Proof(DIFFERS, record.last, findings, compared)


class _Counted:
    """Rows that are counted as they go by."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows, self._count = rows, 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self._count += 1
            yield row

    def whole(self) -> int:
        """Return how many there are, those that nobody has looked at included."""
        return self._count + sum(1 for _ in self._rows)


_SHOWN = 10


def _differences(kind: str, columns: Sequence[str], recorded: Iterable[Row], again: Iterable[Row]) -> Iterator[str]:
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


def _settled(record: Record, rows: Iterable[Row]) -> Iterator[Row]:
    """Yield orders without the ends of those that settle after the last tick: in a running season they are younger."""
    running, settled = record.season["status"] != "closed", record.last - record.season["delay_ticks"]
    for row in rows:
        yield {**row, **_OPEN} if running and row["tick"] > settled else row


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


def _equity(play: BacktestAccount, name: str, first: int, record: Record) -> Iterator[EquityColumns]:
    """Yield the equity rows from the bot's admission to its retirement."""
    retired = [row["tick"] for row in record.events if row["event"] == "retired"]
    end = min([*retired, record.last + 1])
    # The last tick has a row of its own once the season is closed, or its recording has been played.
    told = record.equity_until == record.last
    last = record.last if told or record.season["status"] == "closed" else None
    for row in play.ledger.equity_rows(name, first):
        tick = row["tick"]
        if record.entry["admitted_tick"] <= tick < end and (tick % RANKED_EVERY == 0 or tick == last):
            yield row


def _revealed(record: Record) -> Iterator[str]:
    """Say where a closed season's synthetic prices do not follow from its seed, or that from its commitment."""
    season, previous = record.season, None
    if season["feed"] != "synthetic" or season["seed"] is None:
        return
    if season["seed_sha256"] not in {"", commitment(season["seed"])}:
        yield "The seed that the season has revealed has not the SHA-256 that it showed."
        return
    market = SyntheticMarket(season["seed"], season["symbols"], season["interval"])
    for row in record.rows("ticks"):
        n = row["n"]
        if n == 0 or previous is not None:
            expected = market.next(n, previous) if n and previous else market.first()
            if row["prices"] != expected:
                yield f"The prices of tick {n} do not follow from the seed that the season has revealed."
                return
        previous = row["prices"]


def _chain(record: Record, play: BacktestAccount, first: int) -> Iterator[str]:
    """Compare the running digest over all orders, those whose rows were not kept included."""
    digest, count = "", 0
    wanted, expected = record.entry["orders_count"], record.entry["orders_digest"]
    for order in play.ledger.orders:
        if count == wanted:
            break
        row = order.row(record.entry["bot_name"], first)
        digest = link(
            digest, row["tick"], row["symbol"], row["side"], row["size"], row["reason"] if order.at_once else None
        )
        count += 1
    if (count, digest) != (wanted, expected):
        yield f"The digest over all {wanted} orders does not come out again (after {count})."
