"""Market files described, and written anew as one table `time,symbol,price`."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from arena.errors import MarketDataError
from arena.feeds.base import History
from arena.feeds.files.memory import require_room_to_write
from arena.feeds.files.report import DEFECTS, Report, Tape
from arena.feeds.files.resample import merged, summed
from arena.feeds.files.series import last_of_each_time
from arena.feeds.history import load_history, read_tapes

_GRID = 60.0  # seconds; a description needs few prices
_ENDINGS = (".csv", ".csv.gz", ".parquet")
_AT_ONCE = 65536  # rows


def describe(
    specs: Sequence[str], columns: str | None = None, *, zone: str | None = None, bar: str | None = None
) -> dict[str, Any]:
    """Return what files hold, each and all together: kinds, symbols, spans, columns, defects, remarks."""
    with _own_words():
        tapes = read_tapes(specs, grid=_GRID, columns=columns, zone=zone, bar=bar)
    total = Report("All files")
    symbols = sorted(merged(tapes, total))
    reports = [*(tape.report for tape in tapes), total]
    facts = [tape.fact(symbol) for tape in tapes for symbol in tape.series]
    return {
        "files": [_described(tape) for tape in tapes],
        "symbols": symbols,
        "rows": sum(fact.rows for fact in facts),
        **_span(min(fact.first for fact in facts), max(fact.last for fact in facts)),
        "defects": summed(reports),
        "notes": [note for report in reports for note in report.notes()],
    }


@contextmanager
def _own_words() -> Iterator[None]:
    """Have refusals name the flags of these commands, whose files are arguments."""
    try:
        yield
    except MarketDataError as error:
        if "--data SYMBOL=" not in str(error):
            raise
        raise MarketDataError(str(error).replace("--data SYMBOL=", "SYMBOL="), usage=error.usage) from error


def _described(tape: Tape) -> dict[str, Any]:
    facts = {symbol: tape.fact(symbol) for symbol in sorted(tape.series)}
    return {
        "file": tape.report.name,
        "kind": str(tape.kind),
        "interval": tape.step,
        "rows": sum(fact.rows for fact in facts.values()),
        **_span(min(fact.first for fact in facts.values()), max(fact.last for fact in facts.values())),
        "symbols": [{"symbol": s, "rows": fact.rows, **_span(fact.first, fact.last)} for s, fact in facts.items()],
        "columns": tape.report.columns,
        "understood": tape.report.understood,
        "remarks": tape.report.remarks,
        "defects": {kind: tape.report.defects[kind] for kind in DEFECTS if kind in tape.report.defects},
    }


def _span(first: float, last: float) -> dict[str, Any]:
    return {"first": first, "last": last, "from": utc(first), "to": utc(last)}


def utc(time: float) -> str:
    """Return a time as ISO text."""
    return (
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=time))
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


@dataclass(slots=True)
class MarketTable:
    """A market as rows in order of time, then symbol; `codes` point into `symbols`."""

    symbols: tuple[str, ...]
    times: npt.NDArray[np.float64]
    codes: npt.NDArray[np.int64]
    prices: npt.NDArray[np.float64]
    notes: list[str]


def convert(
    specs: Sequence[str],
    out: Path,
    *,
    interval: float | None,
    columns: str | None = None,
    zone: str | None = None,
    bar: str | None = None,
    force: bool = False,
) -> MarketTable:
    """Write the market of all files to `out`, every price or one a tick, and return what was written."""
    if not out.name.endswith(_ENDINGS):
        raise MarketDataError(
            f"{out} should end in {', '.join(_ENDINGS)}; the ending says what is written.", usage=True
        )
    if out.exists() and not force:
        raise MarketDataError(f"{out} exists already; --force writes over it.", usage=True)
    if out.suffix == ".parquet":
        require_room_to_write(out.name, 0)  # before minutes go by that were in vain
    try:
        with _own_words():
            if interval is None:
                table = _all_prices(read_tapes(specs, grid=None, columns=columns, zone=zone, bar=bar))
            else:
                table = _ticks(load_history(specs, interval=interval, columns=columns, zone=zone, bar=bar))
    except MemoryError:
        raise MarketDataError(
            f"The prices for {out.name} do not fit in the memory that this process may take. Raise its limit "
            "(`ulimit -v unlimited`) or give a longer --interval, for which one price a tick is kept."
        ) from None
    part = out.with_name(out.name + ".part")
    (_write_parquet if out.suffix == ".parquet" else _write_csv)(table, part, packed=out.suffix == ".gz")
    part.replace(out)
    return table


def _all_prices(tapes: list[Tape]) -> MarketTable:
    """Return every price that counts: of several at one time the last."""
    total = Report("All files")
    found = merged(tapes, total)
    series = {symbol: last_of_each_time(*found[symbol], total) for symbol in sorted(found)}
    times = np.concatenate([times for times, _ in series.values()])
    prices = np.concatenate([prices for _, prices in series.values()])
    codes = np.repeat(np.arange(len(series)), [len(times) for times, _ in series.values()])
    order = np.argsort(times, kind="stable")
    reports = [*(tape.report for tape in tapes), total]
    notes = [note for report in reports for note in report.notes()]
    if any(tape.ends for tape in tapes):
        notes.append("All files: the ends of symbols have no place in a table and were left out.")
    return MarketTable(tuple(series), times[order], codes[order], prices[order], notes)


def _ticks(market: History) -> MarketTable:
    """Return the prices of every tick, carried ones too, so that a tick is one of the table as well."""
    rows, codes = np.nonzero(~np.isnan(market.prices))
    return MarketTable(market.symbols, market.times[rows], codes, market.prices[rows, codes], market.notes)


def _write_csv(table: MarketTable, path: Path, *, packed: bool) -> None:
    with ExitStack() as stack:
        raw = stack.enter_context(path.open("wb"))
        # Without a name and a time in its header the same market gives the same bytes.
        plain = stack.enter_context(gzip.GzipFile("", "wb", fileobj=raw, mtime=0)) if packed else raw
        text = stack.enter_context(io.TextIOWrapper(plain, "utf-8", newline=""))
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(("time", "symbol", "price"))
        for times, codes, prices in _pieces(table):
            rows.writerows(zip(times, [table.symbols[code] for code in codes], prices, strict=True))


def _pieces(table: MarketTable) -> Iterator[tuple[list[float], list[int], list[float]]]:
    for begin in range(0, len(table.times), _AT_ONCE):
        piece = slice(begin, begin + _AT_ONCE)
        yield table.times[piece].tolist(), table.codes[piece].tolist(), table.prices[piece].tolist()


def _write_parquet(table: MarketTable, path: Path, *, packed: bool) -> None:
    assert not packed
    require_room_to_write(path.name.removesuffix(".part"), len(table.times))
    import polars as pl

    names = pl.Series(list(table.symbols), dtype=pl.String).gather(table.codes)
    pl.DataFrame({"time": table.times, "symbol": names, "price": table.prices}).write_parquet(path)
