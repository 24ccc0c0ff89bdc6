"""Market files to a recorded market: the one way in for backtests, trials and replays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from arena.errors import MarketDataError
from arena.feeds.base import History

if TYPE_CHECKING:
    from arena.feeds.files.tape import Tape


def load_history(specs: Sequence[str], *, interval: float | None, default_interval: float = 1.0) -> History:
    """Read the files of one market and sample them to ticks.

    Each of `specs` is `[SYMBOL=]PATH`. `interval` seconds resample anything; without it trades and
    frames are sampled every `default_interval`, and bars and tables keep their own times.
    """
    # The command line imports this module for its name alone; numpy and polars can wait.
    from arena.feeds.files.sampling import assemble

    for seconds in (interval, default_interval):
        if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
            raise MarketDataError(f"--interval is {seconds:g}; it must be above 0.", usage=True)
    if not specs:
        raise MarketDataError("No market file was named; give --data PATH.", usage=True)
    tapes = [tape for spec in specs for tape in _tapes(spec)]
    return assemble(tapes, interval=interval, default_interval=default_interval)


def _tapes(spec: str) -> list[Tape]:
    """Read all files that one spec leads to; an archive may hold several."""
    from arena.feeds.files.naming import split_spec
    from arena.feeds.files.opening import open_sources
    from arena.feeds.files.reader import read

    symbol, path = split_spec(spec)
    found = open_sources(path)
    if len(found) == 1:
        return [read(*found[0], symbol)]
    tapes, refused = [], []
    for source, report in found:
        try:
            tapes.append(read(source, report, symbol))
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
