"""What the farm's machines can do: proofs, backtests and trial runs, robustness, the statistics of a board."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine as Database

from arena.hosts.backtests import BACKTEST, BacktestWork
from arena.hosts.farm import VERIFY, Farm, Told, Work, prove
from arena.store import queries
from arena.trust.season_report import season_report
from arena.trust.statistics import bot_statistics
from arena.web.robustness import ROBUST, robust_work
from arena.web.schemas_trust import BotStatistics
from sandbox.pool import Pool

REPORT = "report"
STATISTICS = "statistics"


def works() -> dict[str, Work]:
    """Return every kind of work with what does it."""
    found: dict[str, Work] = {
        VERIFY: prove, BACKTEST: BacktestWork(), ROBUST: robust_work, STATISTICS: statistics_work,
    }  # fmt: skip
    # Without this package a report says less, and the machine that asks may have it.
    if importlib.util.find_spec("arch") is not None:
        found[REPORT] = report_work
    return found


def statistics_work(database: Database, pool: Pool, inputs: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Return a bot's figures, with its bootstraps and random traders; the inputs are season_id, bot_id and a tick."""
    del pool, told
    return BotStatistics.model_validate(bot_statistics(database, inputs["season_id"], inputs["bot_id"])).model_dump()


def report_work(database: Database, pool: Pool, inputs: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Return the report of a closed season, with its bootstraps over all bots; the inputs are season_id and number."""
    del pool, told
    return season_report(database, inputs["number"])


def report_maker(farm: Farm | None) -> Callable[[Database, int], dict[str, Any]]:
    """Return what makes the report of a season: the farm where there is one that can."""
    if farm is None or importlib.util.find_spec("arch") is None:
        return season_report
    asked = farm

    def make(database: Database, number: int) -> dict[str, Any]:
        season = queries.season_by_number(database, number)
        return asked.do(REPORT, [{"season_id": season["id"], "number": number}], short=True)[0]

    return make
