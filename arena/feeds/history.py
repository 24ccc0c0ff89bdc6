"""Market files to a recorded market: the one way in for backtests, trials and replays."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from arena.errors import MarketDataError
from arena.feeds.base import History

if TYPE_CHECKING:
    from arena.feeds.files.report import Report, Tape
    from arena.feeds.files.sources import Source
    from arena.feeds.files.told import Columns


# What libraries raise at texts that nobody foresaw.
_ODD = (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError, AssertionError)
_FINEST = 1e-6  # seconds between prices of a recording that are told apart where no ticks are asked for


def load_history(
    specs: Sequence[str],
    *,
    interval: float | None,
    default_interval: float = 1.0,
    columns: str | None = None,
    zone: str | None = None,
    bar: str | None = None,
) -> History:
    """Read the files of one market and sample them to ticks.

    Each of `specs` is `[SYMBOL=]PATH`. `interval` seconds resample anything; without it trades and
    frames are sampled every `default_interval`, and bars and tables keep their own times. `columns`
    names the columns of tables that are not guessed right: `time=ts,price=last,symbol=pair`; `zone` is
    that of times which say none; `bar` says how long bars are and whether they are stamped at their start
    or end: `5m,end`.
    """
    # The command line imports this module for its name alone; numpy and polars can wait.
    from arena.feeds.files.resample import assemble

    for seconds in (interval, default_interval):
        if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
            raise MarketDataError(f"--interval is {seconds:g}; it must be above 0.", usage=True)
    grid = default_interval if interval is None else interval
    tapes = read_tapes(specs, grid=grid, columns=columns, zone=zone, bar=bar)
    return assemble(tapes, interval=interval, default_interval=default_interval)


def read_tapes(
    specs: Sequence[str],
    *,
    grid: float | None,
    columns: str | None = None,
    zone: str | None = None,
    bar: str | None = None,
) -> list[Tape]:
    """Read files one by one; of trades only what ticks every `grid` seconds can show, without a grid all of them."""
    if not specs:
        raise MarketDataError("No market file was named; give a PATH.", usage=True)
    return [tape for spec in specs for tape in _tapes(spec, grid, (columns, zone, bar))]


def _tapes(spec: str, grid: float | None, told: tuple[str | None, str | None, str | None]) -> list[Tape]:
    """Read all files that one spec leads to; an archive may hold several."""
    from arena.feeds.files.memory import require_room
    from arena.feeds.files.naming import split_spec
    from arena.feeds.files.sources import is_recording, open_sources, verify_checksum

    symbol, path = split_spec(spec)
    if is_recording(path):
        from arena.feeds.files.recording import read_tape

        return [read_tape(path, symbol, grid or _FINEST)]
    require_room(path)
    from arena.feeds.files.told import parse_columns

    columns = parse_columns(*told)
    verified = verify_checksum(path) if Path(path).is_file() else ""
    found = open_sources(path)
    tapes = _read_all(found, partial(_read, symbol=symbol, grid=grid, columns=columns))
    if symbol is not None and len(tapes) > 1:
        _refuse_merge(tapes, symbol, path)
    if verified:
        tapes[0].report.remark(verified)
    return tapes


def _read(source: Source, report: Report, symbol: str | None, grid: float | None, columns: Columns) -> Tape:
    """Read one file; whatever a library cannot make of it is said in a sentence."""
    import polars as pl

    from arena.feeds.files.reader import read

    try:
        return read(source, report, symbol, grid=grid, columns=columns)
    except (*_ODD, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        words = str(error).split("\n", 1)[0][:200]
        raise MarketDataError(
            f"{source.label} cannot be read as a market file: {type(error).__name__}: {words!r}."
        ) from error


def _refuse_merge(tapes: Sequence[Tape], symbol: str, path: str) -> None:
    """Refuse to make one symbol of several files of an archive that are not one after the other in time."""
    spans = sorted((fact.first, fact.last) for tape in tapes for fact in [tape.fact(symbol)])
    names = {re.sub(r"[\d\W_]+", "", tape.report.name.rpartition("[")[2].rpartition(".")[0]).lower() for tape in tapes}
    if len(names) > 1 or any(one[1] > two[0] for one, two in pairwise(spans)):
        shown = ", ".join(tape.report.name for tape in tapes[:8])
        raise MarketDataError(
            f"{path} holds several files ({shown}), which would be one {symbol}; unpack it and give "
            "each with its own SYMBOL=.",
            usage=True,
        )


def _read_all(found: list[tuple[Source, Report]], read: Callable[[Source, Report], Tape]) -> list[Tape]:
    """Read the members of an archive; those that hold no market are left out if another does."""
    if len(found) == 1:
        return [read(*found[0])]
    tapes, refused = [], []
    for source, report in found:
        try:
            tapes.append(read(source, report))
        except MarketDataError as error:
            if error.usage:
                raise
            refused.append(str(error))
    if not tapes:
        raise MarketDataError(refused[0])
    for problem in refused:
        tapes[0].report.count("unrecognised_member")
        tapes[0].report.remark(problem)
    return tapes
