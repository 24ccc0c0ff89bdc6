"""Market files to a recorded market: the one way in for backtests, trials and replays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from arena.errors import MarketDataError
from arena.feeds.base import History

if TYPE_CHECKING:
    from arena.feeds.files.columns import Columns
    from arena.feeds.files.opening import Source
    from arena.feeds.files.tape import Report, Tape


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
    from arena.feeds.files.sampling import assemble

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
    from arena.feeds.files.room import require_room

    if not specs:
        raise MarketDataError("No market file was named; give a PATH.", usage=True)
    require_room(specs[0])
    from arena.feeds.files.columns import parse_columns

    told = parse_columns(columns, zone, bar)
    return [tape for spec in specs for tape in _tapes(spec, grid, told)]


def _tapes(spec: str, grid: float | None, columns: Columns) -> list[Tape]:
    """Read all files that one spec leads to; an archive may hold several."""
    from arena.feeds.files.checksum import check
    from arena.feeds.files.naming import split_spec
    from arena.feeds.files.opening import is_recording, open_sources
    from arena.feeds.files.reader import read

    symbol, path = split_spec(spec)
    if is_recording(path):
        from arena.feeds.files.arena_file import read_tape

        return [read_tape(path, symbol, grid or _FINEST)]
    verified = check(path) if Path(path).is_file() else ""
    tapes = _read_all(open_sources(path), partial(read, symbol=symbol, grid=grid, columns=columns))
    if verified:
        tapes[0].report.remark(verified)
    return tapes


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
