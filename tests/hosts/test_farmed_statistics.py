"""The figures of a board are the same whichever machine of the farm works them out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine as Database
from typer.testing import CliRunner

from arena import config
from arena.app import RUNTIME
from arena.hosts.farm import Farm, FarmWorker
from arena.store.receipts import read_key
from arena.store.seasons import close_season
from arena.trust.season_report import keep_report, season_report
from arena.trust.statistics import bot_statistics
from arena.web.farm import REPORT, STATISTICS, report_maker, works
from arena.web.schemas_trust import BotStatistics
from sandbox.pool import Pool
from tests.trust.test_statistics import database, recorded

__all__ = ["database"]

NAMES = [f"Bot {n}" for n in range(4)]


@pytest.fixture
def season_id(database: Database) -> str:
    """A closed season whose third bot is better than luck."""
    returns = np.random.default_rng(1).normal(0, 1e-2, (60, len(NAMES)))
    returns[:, 2] += 4e-3
    found, _ = recorded(database, returns, NAMES)
    close_season(database, found)
    return found


@pytest.fixture
def idle() -> Pool:
    """A pool that plays nothing here: statistics need no bot."""
    return Pool(RUNTIME, config.load().limits)


def test_every_bots_figures_are_worked_out_by_another_machine(
    database: Database, season_id: str, idle: Pool, tmp_path: Path
) -> None:
    from arena.cli.main import app

    asked = ["farm", "statistics", "1", "--json", "--no-wait", "--db", str(tmp_path / "lab.db")]
    assert CliRunner().invoke(app, asked).exit_code == 0
    worker = FarmWorker(database, idle, {STATISTICS: works()[STATISTICS]})
    while worker.do_one():
        pass
    rows = json.loads(CliRunner().invoke(app, asked).stdout)
    assert [(row["bot"], row["status"]) for row in rows] == [(name, "done") for name in NAMES]
    for row in rows:
        here = bot_statistics(database, season_id, row["statistics"]["bot_id"])
        assert row["statistics"] == BotStatistics.model_validate(here).model_dump()
        assert row["statistics"]["sharpe_a_period_interval"] is not None
    shown = CliRunner().invoke(app, [each for each in asked if each != "--json"])
    assert "Whether its timing is more than luck" in " ".join(shown.output.split()), shown.output


@pytest.mark.system
@pytest.mark.usefixtures("season_id")
def test_a_report_is_the_one_that_the_server_would_have_made(database: Database, idle: Pool, tmp_path: Path) -> None:
    pytest.importorskip("arch", reason="the extra 'trust' is not installed")
    here = season_report(database, 1)
    farm = Farm(database, idle, {REPORT: works()[REPORT]}, patience=0.0)
    made = report_maker(farm)
    assert made(database, 1) == here
    assert report_maker(None) is season_report
    kept = keep_report(database, 1, read_key(tmp_path / "arena.key"), made)
    assert kept["report"] == json.loads(json.dumps(here))
