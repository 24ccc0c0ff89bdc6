"""Backtests on the farm: one job a bot, with the market in the queue, and all that a play leaves behind as its result.

The result is the one that this machine would have made, to the last bit, and is used as such.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Engine as Database

from arena.core.exchange import Conditions, Rules
from arena.core.orders import OrderStatus
from arena.core.scoring import Score
from arena.engine.backtest.account import BacktestAccount, OrderRecord, RecordedMarket, TradeRecord
from arena.engine.backtest.record import RunRecord
from arena.engine.backtest.run import (
    RUN_AHEAD,
    BacktestResult,
    BotSource,
    CheckedBot,
    Progress,
    check_candidates,
    play_entries,
)
from arena.engine.live.host_messages import AccountParts, account_from, account_parts
from arena.errors import ArenaError, TooLargeError
from arena.hosts.farm import Farm, Told
from arena.hosts.wire import decode, encode
from arena.store.farm import put_result, stored_result
from sandbox.pool import Pool
from sandbox.talk.verdict import Verdict

T = TypeVar("T")

BACKTEST = "backtest"
_MARKET = "market"  # the kind of the rows that hold markets
_FORM = 2  # of a result: one of another form is not taken for it
# Rows that are packed in one piece: to read one holds the interpreter, so that a beat of the clock waits for it.
_PART = 2000
_MOST_PACKED = 256 << 20  # bytes of a packed market or result; PostgreSQL takes some more in one value

Number = int | float | None


class MarketParts(NamedTuple):
    """A recorded market; `rows` are its doubles."""

    symbols: list[str]
    rows: bytes
    conditions: list[tuple[int, dict[str, str], dict[str, Number]]]
    before: dict[str, float]


OrderFields = tuple[int, float, str, str, Number, str, str | None, Number, Number, Number, bool, int]
LogFields = tuple[float, str, str]


class PlayParts(NamedTuple):
    """What a bot's play has left behind; `equity` and `points` are doubles.

    Orders (as in `OrderRecord`), trades and logs are packed by themselves, some at a time.
    """

    sent: int
    account: AccountParts
    score: dict[str, Number]
    orders: list[bytes]
    trades: list[bytes]
    logs: list[bytes]
    equity: bytes
    points: bytes
    overflow: int
    errors: int
    error_ticks: int
    last_error: str | None
    load_failed: bool


class ResultParts(NamedTuple):
    """What became of one bot."""

    name: str
    status: str
    endings: list[tuple[int, str, str]]
    mode: str
    note: str
    play: PlayParts


# -- the machine that does it ---------------------------------------------------------------------------------


class BacktestWork:
    """Plays one bot over a market of the queue; the last market is kept for the next bot."""

    def __init__(self) -> None:
        self._known: tuple[str, RecordedMarket] | None = None

    def __call__(self, database: Database, pool: Pool, inputs: Mapping[str, Any], told: Told) -> dict[str, Any]:
        """Play; the inputs are those of `play_on_farm`."""
        market = self._market(database, inputs["market"])
        source = base64.b64decode(inputs["source"])
        (entry,) = check_candidates(pool, [BotSource("bot", source)])
        if not entry.program:
            raise ArenaError("A machine of the farm refuses a bot that is accepted here: `arena check` there says why.")
        done = 0

        def progress(ticks: int) -> None:
            nonlocal done
            done += ticks
            told(min(0.99, done / max(1, len(market))))

        (result,) = play_entries(
            pool, [entry], market, Rules(*inputs["rules"]), seed=inputs["seed"], run=inputs["run"], progress=progress,
            before={entry.bot_name: inputs["before"]},
        )  # fmt: skip
        return {"packed": _pack(_parts(result))}

    def _market(self, database: Database, digest: str) -> RecordedMarket:
        known = self._known
        if known is None or known[0] != digest:
            found = stored_result(database, _MARKET, {"sha256": digest})
            if found is None:
                raise ArenaError("The market of this backtest is not in the queue any more: ask for it once more.")
            known = self._known = digest, _market_from(decode(_unpack(found), MarketParts))
        return known[1]


# -- the machine that asks ------------------------------------------------------------------------------------


class FarmPlays:
    """Plays as `play_entries` does, one job a bot; `short` plays do not wait until this machine has done a long one."""

    def __init__(self, farm: Farm, *, short: bool = False) -> None:
        self._farm, self._short = farm, short

    def __call__(
        self,
        entries: Sequence[CheckedBot],
        market: RecordedMarket,
        rules: Rules,
        *,
        seed: int | str = 0,
        run: int = RUN_AHEAD,
        progress: Progress | None = None,
    ) -> list[BacktestResult]:
        """Return the results in the order of the entries; TooLargeError where the market is too much for the queue."""
        taken: Counter[str] = Counter()
        playing, inputs = [entry for entry in entries if entry.program], []
        digest = _put_market(self._farm.database, market) if playing else ""
        for entry in playing:
            inputs.append({
                "market": digest, "source": base64.b64encode(entry.candidate.source).decode(), "seed": seed, "run": run,
                "before": taken[entry.bot_name], "rules": list(rules.parts), "form": _FORM,
            })  # fmt: skip
            taken[entry.bot_name] += 1
        told = _in_ticks(progress, len(market) * len(entries))
        found = iter(self._farm.do(BACKTEST, inputs, told, short=self._short) if inputs else [])
        results = []
        for entry in entries:
            file = entry.candidate.file
            if not entry.program:
                results.append(BacktestResult("", file, "refused", violations=list(entry.violations)))
                continue
            parts = decode(_unpack(next(found)), ResultParts)
            results.append(_result_from(parts, entry, market, rules))
        return results


def _in_ticks(progress: Progress | None, total: int) -> Callable[[float], None]:
    done = 0

    def told(share: float) -> None:
        nonlocal done
        now = max(done, int(share * total))
        if progress is not None:
            progress(now - done)
        done = now

    return told


def _put_market(database: Database, market: RecordedMarket) -> str:
    packed = encode(MarketParts(
        list(market.symbols), market.rows.tobytes(),
        [(n, dict(each.barred), dict(each.ended)) for n, each in market.conditions.items()], dict(market.before),
    ))  # fmt: skip
    digest = hashlib.sha256(packed).hexdigest()
    put_result(database, _MARKET, {"sha256": digest}, {"packed": _pack(packed)})
    return digest


# -- packing --------------------------------------------------------------------------------------------------


def _pack(packed: bytes) -> str:
    text = base64.b64encode(zlib.compress(packed, 1)).decode("ascii")
    if len(text) > _MOST_PACKED:
        raise TooLargeError(
            f"It takes {len(text) >> 20} MiB, and the queue takes {_MOST_PACKED >> 20}: choose a longer interval or "
            "fewer ticks, or play it on one machine."
        )
    return text


def _unpack(result: Mapping[str, Any]) -> bytes:
    return zlib.decompress(base64.b64decode(result["packed"]))


def _market_from(parts: MarketParts) -> RecordedMarket:
    import numpy as np

    rows = np.frombuffer(parts.rows, dtype=np.float64).reshape(-1, 1 + len(parts.symbols))
    conditions = {n: Conditions(barred, ended) for n, barred, ended in parts.conditions}
    return RecordedMarket(tuple(parts.symbols), rows, conditions, parts.before)


def _parts(result: BacktestResult) -> bytes:
    play = result.play
    assert play is not None
    kept = play.ledger
    return encode(ResultParts(
        result.name, result.status, [(n, verdict.name, reason) for n, verdict, reason in result.endings],
        result.mode, result.note,
        PlayParts(
            play.sent, account_parts(play.account), play.score.state(),
            _packed_rows(kept.orders, _fields), _packed_rows(kept.trades), _packed_rows(kept.logs),
            kept.equity.packed(), kept.score_points.tobytes(), kept.overflow, kept.errors,
            kept.error_ticks, kept.last_error, kept.load_failed,
        ),
    ))  # fmt: skip


def _result_from(parts: ResultParts, entry: CheckedBot, market: RecordedMarket, rules: Rules) -> BacktestResult:
    kept = parts.play
    play = BacktestAccount(parts.name, market, rules)
    play.sent, play.account = kept.sent, account_from(kept.account)
    play.score = Score(**kept.score)  # type: ignore[arg-type]
    play.ledger = RunRecord(
        [_order(fields) for part in kept.orders for fields in decode(part, list[OrderFields])],
        [trade for part in kept.trades for trade in decode(part, list[TradeRecord])],
        [line for part in kept.logs for line in decode(part, list[LogFields])],
        overflow=kept.overflow, errors=kept.errors, error_ticks=kept.error_ticks, last_error=kept.last_error,
        load_failed=kept.load_failed,
    )  # fmt: skip
    play.ledger.equity.extend(kept.equity)
    play.ledger.score_points.frombytes(kept.points)
    endings = [(n, Verdict[verdict], reason) for n, verdict, reason in parts.endings]
    return BacktestResult(
        parts.name, entry.candidate.file, parts.status, entry.symbols, play=play, endings=endings, mode=parts.mode,
        note=parts.note,
    )  # fmt: skip


def _packed_rows(rows: Sequence[T], fields: Callable[[T], object] = lambda row: row) -> list[bytes]:
    parts = (rows[begin : begin + _PART] for begin in range(0, len(rows), _PART))
    return [encode([fields(row) for row in part]) for part in parts]


def _fields(order: OrderRecord) -> OrderFields:
    return (
        order.tick, order.time, order.symbol, order.side, order.size, order.status.value, order.reason,
        order.fill_time, order.fill_price, order.fill_size, order.at_once, order.settled,
    )  # fmt: skip


def _order(fields: OrderFields) -> OrderRecord:
    n, time, symbol, side, size, status, reason, fill_time, price, filled, at_once, settled = fields
    return OrderRecord(
        n, time, symbol, side, size, OrderStatus(status), reason, fill_time, price, filled, at_once, settled
    )
