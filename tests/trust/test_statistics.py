"""Statistics of bots in a recorded season, against the formulas computed here by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from sqlalchemy import Engine as Database

from arena.core.exchange import Rules
from arena.core.lineage import with_lineage
from arena.core.statistics.bootstrap import resampled_places, sharpe_interval
from arena.core.statistics.variance import variance_shares
from arena.store.bulk import insert_rows
from arena.store.database import open_database
from arena.store.models import Attempt, ScorePoint, Submission, Tick, Trade
from arena.store.seasons import Enrolled, NewBot, SeasonPlan, enrol, resume_or_open
from arena.trust.groups import board_groups
from arena.trust.statistics import bot_statistics, holding_seconds
from arena.trust.trials import trials_of

PERIOD = 300.0
Made = Callable[..., Database]


@pytest.fixture
def database(migrated_sqlite: Path, tmp_path: Path) -> Any:
    import shutil

    shutil.copy(migrated_sqlite, tmp_path / "lab.db")
    engine = open_database(f"sqlite:///{tmp_path / 'lab.db'}")
    yield engine
    engine.dispose()


def enter(database: Database, season_id: str, name: str, author: str = "ann", **more: Any) -> Enrolled:
    origin = "generated" if "submission_id" in more else "upload"
    new = NewBot(name, author, origin, f"# {name}", more.pop("source_hash", name), ("A",), **more)
    return enrol(database, season_id, new, tick=0)


def recorded(database: Database, returns: np.ndarray, names: list[str]) -> tuple[str, list[str]]:
    """Record a season whose bots have these returns at its score points; return its id and the bots'."""
    season, _ = resume_or_open(database, SeasonPlan("synthetic", ("A",), 10.0, Rules()), runtime={})
    bots = [enter(database, season.id, name).bot.id for name in names]
    equities = np.vstack([np.full(len(names), 10_000.0), 10_000.0 * np.cumprod(1.0 + returns, axis=0)])
    rows = [
        {
            "season_id": season.id, "n": n, "tick": 30 * n, "time": 1e9 + PERIOD * n, "prices": {"A": 100.0 + n % 3},
            "joined": bots if n == 0 else [], "equities": values.astype("<f8").tobytes(),
        }
        for n, values in enumerate(equities)
    ]  # fmt: skip
    with database.begin() as connection:
        insert_rows(connection, ScorePoint, rows)
        insert_rows(connection, Tick, [{"season_id": season.id, "n": 0, "time": 1e9, "prices": {"A": 100.0}}])
    return season.id, bots


def figures(document: dict[str, Any]) -> dict[str, Any]:
    return {figure["name"]: figure["value"] for figure in document["figures"]}


def test_figures_are_the_formulas(database: Database) -> None:
    returns = np.random.default_rng(1).normal(2e-4, 1e-3, (200, 2))
    season_id, bots = recorded(database, returns, ["One", "Two"])
    document = bot_statistics(database, season_id, bots[0])
    mine = returns[:, 0]
    a_year = 365 * 86400 / PERIOD
    found = figures(document)
    assert document["periods"] == 200
    assert document["periods_a_year"] == pytest.approx(a_year)
    sharpe = mine.mean() / mine.std(ddof=1)
    assert found["sharpe"] == pytest.approx(sharpe * math.sqrt(a_year), rel=1e-9)
    assert found["sortino"] == pytest.approx(
        mine.mean() / math.sqrt(np.mean(np.minimum(mine, 0) ** 2)) * math.sqrt(a_year), rel=1e-9
    )
    assert found["volatility_pct"] == pytest.approx(mine.std(ddof=1) * math.sqrt(a_year) * 100, rel=1e-9)
    curve = np.concatenate([[1.0], np.cumprod(1 + mine)])
    assert found["max_drawdown_pct"] == pytest.approx((1 - curve / np.maximum.accumulate(curve)).max() * 100, rel=1e-9)
    low, high = document["sharpe_a_period_interval"]
    assert low < document["sharpe_a_period"] < high
    assert all(figure["formula"] for figure in document["figures"])
    # Two versions of one author: the best of two is worth less than one.
    assert document["trials"]["k"] == 2
    assert document["trials"]["k_effective"] == pytest.approx(2.0, abs=0.1)
    assert found["dsr"] < found["psr"]


def test_below_thirty_periods_no_figure_of_returns_is_a_number(database: Database) -> None:
    season_id, bots = recorded(database, np.random.default_rng(2).normal(0, 1e-3, (12, 1)), ["One"])
    document = bot_statistics(database, season_id, bots[0])
    assert document["needs"] == "needs 30 periods, has 12"
    for figure in document["figures"]:
        if figure["name"] in {"sharpe", "sortino", "calmar", "volatility_pct", "psr", "dsr", "min_track_record"}:
            assert figure["value"] is None
            assert figure["needs"] == document["needs"]
    assert document["sharpe_a_period"] is document["sharpe_a_period_interval"] is None


def test_a_bot_that_never_moved_has_no_ratio_and_no_nan(database: Database) -> None:
    season_id, bots = recorded(database, np.zeros((60, 1)), ["Flat"])
    found = figures(bot_statistics(database, season_id, bots[0]))
    assert {name for name, value in found.items() if value is not None} == {
        "max_drawdown_pct",
        "drawdown_periods",
        "drawdown_now_pct",
        "best_period_pct",
        "worst_period_pct",
    }


def test_every_try_of_an_author_counts_under_whatever_name(database: Database) -> None:
    season, _ = resume_or_open(database, SeasonPlan("synthetic", ("A",), 10.0, Rules()), runtime={})
    first = enter(database, season.id, "Alpha", source_hash="a")
    enter(database, season.id, "Alpha", source_hash="b")
    enter(database, season.id, "Renamed", source_hash="c")
    enter(database, season.id, "Other", author="bob", source_hash="d")
    common = {"author": "ann", "model": "m", "prompt": "p", "created_at": 1.0, "updated_at": 1.0}
    refused = [{"line": 1, "column": 1, "rule": "r", "message": "m", "hint": "h"}]
    played = [{**refused[0], "rule": "behaviour-order-size"}]
    answer = {"model": "m", "prompt_hash": "h", "seconds": 0.0}
    with database.begin() as connection:
        insert_rows(connection, Submission, [{"id": f"s{n}", "status": "rejected", **common} for n in range(3)])
        insert_rows(connection, Attempt, [
            {"submission_id": "s0", "n": 1, "source": "x", "violations": [], **answer},
            {"submission_id": "s0", "n": 2, "source": "y", "violations": [], **answer},
            {"submission_id": "s1", "n": 1, "source": "z", "violations": refused, **answer},
            {"submission_id": "s2", "n": 1, "source": None, "violations": [], **answer},
            {"submission_id": "s2", "n": 2, "source": "v", "violations": played, **answer},
            {"submission_id": "s2", "n": 3, "source": "w", "violations": [], **answer},
        ])  # fmt: skip
    found = trials_of(database, first.bot.id)
    # Three programs, two samples that reached a trial, two repairs that did; what the language refuses has seen no
    # market, what was sent back for what it did on one has.
    assert (found.versions, found.samples, found.repairs, found.count) == (3, 2, 2, 7)


class Row(NamedTuple):
    time: float
    symbol: str
    side: str
    size: float


def test_holding_time_is_first_in_first_out() -> None:
    trades = [Row(0, "A", "BUY", 1.0), Row(10, "A", "BUY", 1.0), Row(30, "A", "SELL", 2.0), Row(31, "B", "BUY", 1.0)]
    assert holding_seconds(trades) == pytest.approx((30 + 20) / 2)
    assert holding_seconds(trades[:2]) is None


def test_trade_figures_come_from_sells(database: Database) -> None:
    season_id, bots = recorded(database, np.zeros((40, 1)), ["One"])
    common = {"season_id": season_id, "bot_id": bots[0], "bot_name": "One", "symbol": "A", "size": 1.0, "price": 1.0,
              "cash_after": 0.0, "position_after": 0.0, "fee": 0.0, "order_id": None}  # fmt: skip
    with database.begin() as connection:
        insert_rows(connection, Trade, [
            {"id": n + 1, "time": float(n), "tick": n, "side": side, "realized_pnl": gain, **common}
            for n, (side, gain) in enumerate([("BUY", 0.0), ("SELL", 6.0), ("BUY", 0.0), ("SELL", -2.0)])
        ])  # fmt: skip
    found = figures(bot_statistics(database, season_id, bots[0]))
    assert (found["profit_factor"], found["expectancy"], found["hit_rate_pct"]) == (3.0, 2.0, 50.0)
    assert (found["best_trade"], found["worst_trade"], found["holding_seconds"]) == (6.0, -2.0, 1.0)


def test_blocks_of_a_resample_have_their_length_and_wrap() -> None:
    chance = np.random.default_rng(3)
    places = np.concatenate([resampled_places(1000, 10.0, chance) for _ in range(20)])
    assert set(np.unique(places)) <= set(range(1000))
    follows = np.mean((np.diff(places) % 1000) == 1)
    assert follows == pytest.approx(0.9, abs=0.01)


@pytest.mark.system
def test_the_interval_of_a_sharpe_ratio_covers_it_about_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(100):
        low, high = sharpe_interval(np.random.default_rng(seed).normal(0.1, 1.0, 300), resamples=200, seed=seed) or (
            0,
            0,
        )
        hits += low <= 0.1 <= high
    # 95 of 100 are expected; the binomial chance of fewer than 86 is below 1 in 2,000.
    assert hits >= 86
    assert sharpe_interval(np.zeros(100)) is None
    assert sharpe_interval(np.ones(29)) is None


def test_shares_of_the_spread_find_what_was_planted() -> None:
    chance = np.random.default_rng(4)
    models, prompts = ["m1", "m2"] * 30, [f"p{n // 20}" for n in range(60)]
    by_model = [10.0 * (model == "m2") + chance.normal(0, 0.5) for model in models]
    found = variance_shares(by_model, models, prompts)
    assert found is not None
    assert found["models"]["share"] > 0.95
    assert found["models"]["low"] <= found["models"]["share"] <= found["models"]["high"]
    assert sum(part["share"] for part in found.values()) == pytest.approx(1.0)
    luck = variance_shares(list(chance.normal(0, 1, 60)), models, prompts)
    assert luck is not None
    assert luck["samples"]["share"] > 0.8
    assert variance_shares([1.0, 2.0], ["a", "b"], ["p", "p"]) is None
    assert variance_shares([1.0] * 8, ["a", "b"] * 4, ["p"] * 8) is None


def test_the_board_in_groups(database: Database) -> None:
    season_id, _ = recorded(database, np.zeros((3, 2)), ["One", "Two"])
    found = board_groups(database, season_id, "author")
    assert [(item["name"], item["bots"], item["never_traded"]) for item in found["items"]] == [("ann", 2, 2)]
    assert found["variance"] is None


def test_children_tried_beside_an_evolved_bot_are_trials_of_its_author(database: Database) -> None:
    season_id, _ = recorded(database, np.zeros((3, 1)), ["One"])
    child = with_lineage("# child", "0123456789ab", 24, {"ba9876543210": 5})
    later = with_lineage("# another", "0123456789ab", 40, {})
    for name, author, source in (("Child", "eve", child), ("Later", "eve", later), ("Bob's", "bob", child)):
        new = NewBot(name, author, "upload", source, name, ("A",))
        bot = enrol(database, season_id, new, tick=0).bot.id
    found = trials_of(database, bot)
    # One version, 23 others of its run, 5 of the run that its parent came from.
    assert (found.versions, found.evolved, found.count) == (1, 28, 29)
    assert bot_statistics(database, season_id, bot)["trials"]["evolved"] == 28
    groups = {item["name"]: item["trials"] for item in board_groups(database, season_id, "author")["items"]}
    # Both of Eve's are of one run of 40 children by now, and count as versions.
    assert groups == {"ann": 1, "bob": 29, "eve": 2 + 38 + 5}


def test_a_group_counts_its_trials_and_what_an_admitted_bot_has_cost(database: Database) -> None:
    season_id, _ = recorded(database, np.zeros((3, 1)), ["One"])
    common = {"author": "ann", "prompt": "p", "created_at": 1.0, "updated_at": 1.0, "status": "admitted"}
    refused = [{"line": 1, "column": 1, "rule": "r", "message": "m", "hint": "h"}]
    answer = {"prompt_hash": "h", "seconds": 0.0, "prompt_tokens": 10, "completion_tokens": 5, "source": "x"}
    with database.begin() as connection:
        insert_rows(
            connection, Submission, [{"id": "s0", "model": "m", **common}, {"id": "s1", "model": "m", **common}]
        )
        insert_rows(connection, Attempt, [
            {"submission_id": "s0", "n": 1, "model": "m", "violations": refused, "cost_usd": 0.25, **answer},
            {"submission_id": "s0", "n": 2, "model": "m", "violations": [], "cost_usd": 0.5, **answer},
            {"submission_id": "s1", "n": 1, "model": "m", "violations": [], "cost_usd": 0.25, **answer},
        ])  # fmt: skip
    (group,) = board_groups(database, season_id, "author")["items"]
    # The bot written by hand, and two answers that reached a trial.
    assert (group["trials"], group["repairs"]) == (3, 1)
    assert (group["tokens_per_admitted_bot"], group["usd_per_admitted_bot"]) == (22.5, 0.5)
    with database.begin() as connection:
        insert_rows(connection, Attempt, [
            {"submission_id": "s1", "n": 2, "model": "m", "violations": [], "cost_usd": None, **answer},
        ])  # fmt: skip
    (group,) = board_groups(database, season_id, "author")["items"]
    assert group["usd_per_admitted_bot"] is None
