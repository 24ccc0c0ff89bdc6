"""Backtests that other machines play are those that this one would have played, to the last bit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np
import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import text

from arena.core.exchange import Conditions, Rules
from arena.engine.backtest import report
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.run import (
    LOCKSTEP,
    RUN_AHEAD,
    BacktestResult,
    BotSource,
    CheckedBot,
    check_candidates,
    play_entries,
)
from arena.errors import ArenaError, TooLargeError
from arena.hosts import backtests
from arena.hosts.backtests import BACKTEST, BacktestWork, FarmPlays
from arena.hosts.farm import Farm, FarmWorker, kind_of
from arena.hosts.wire import decode
from arena.store.database import open_database, upgrade
from arena.store.farm import forget_jobs, take_job
from arena.web.farm import works
from sandbox.pool import Pool
from tests.arenas import BUYER, PATIENCE, bot_source, running, settings_for, until
from tests.hosts.seasons import BOTS
from tests.web.test_backtests import market_text, played, uploaded

RULES = Rules(10_000.0, 10.0, 5.0)


def tape() -> RecordedMarket:
    """Return a market with gaps, a symbol that is halted for a while, and one that ends."""
    n = np.arange(60.0)
    rows = np.column_stack([1e9 + 60.0 * n, 100.0 + n % 7.0, 10.0 + n % 3.0 / 3.0])
    rows[:4, 2] = np.nan
    strange = {20: Conditions({"ETHUSDT": "ETHUSDT is halted"}), 40: Conditions({}, {"ETHUSDT": 9.5})}
    return RecordedMarket(("BTCUSDT", "ETHUSDT"), rows, strange, {"ETHUSDT": 9.75})


def entries(pool: Pool) -> list[CheckedBot]:
    """Return bots of every kind, two of one name among them, and one that is refused."""
    sources = [*BOTS, BOTS[0], bot_source('open("x")'), bot_source("pass", symbols='["DOGEUSDT"]')]
    return check_candidates(pool, [BotSource(f"{n}.py", source.encode()) for n, source in enumerate(sources)])


def told(results: list[BacktestResult], market: RecordedMarket) -> dict[str, Any]:
    """Return all that is said of a backtest anywhere."""
    return {
        "report": report.document(results, market, 0.0), "orders": report.order_rows(results),
        "trades": report.trade_rows(results), "logs": report.log_rows(results),
        "points": [result.play and result.play.ledger.score_points for result in results],
        "curves": [result.play and list(result.play.ledger.equity) for result in results],
    }  # fmt: skip


@contextmanager
def machines(database: Database, pools: list[Pool]) -> Iterator[list[FarmWorker]]:
    """Have machines take backtests."""
    workers = [FarmWorker(database, pool, {BACKTEST: BacktestWork()}) for pool in pools]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    yield workers
    for worker in workers:
        worker.stop()
    for thread in threads:
        thread.join()


def takers(database: Database, work: str) -> set[str]:
    with database.connect() as connection:
        found = connection.execute(text("SELECT taken_by FROM farm_jobs WHERE kind LIKE :kind"), {"kind": f"{work} %"})
        return {name for (name,) in found}


@pytest.mark.system
@pytest.mark.parametrize("run", [LOCKSTEP, RUN_AHEAD])
def test_backtests_of_two_machines_equal_those_of_this_one(
    database: Database, head_pool: Pool, host_pools: list[Pool], run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So few rows a part that there are several, the last one not full.
    monkeypatch.setattr(backtests, "_PART", 7)
    market, bots, moved = tape(), entries(head_pool), list[int]()
    here = play_entries(head_pool, bots, market, RULES, seed=7, run=run)
    assert {result.status for result in here} == {"ok", "refused", "no_market"}
    with machines(database, host_pools[:2]) as workers:
        # So patient that it takes none itself.
        plays = FarmPlays(Farm(database, head_pool, {BACKTEST: BacktestWork()}, patience=10 * PATIENCE))
        farmed = plays(bots, market, RULES, seed=7, run=run, progress=moved.append)
    assert told(farmed, market) == told(here, market)
    assert {result.name for result in farmed} >= {"Counter", "Counter #2"}
    assert sum(moved) <= len(market) * len(bots)
    assert takers(database, BACKTEST) <= {worker.name for worker in workers}


def test_work_that_nobody_takes_or_that_was_lost_is_done_by_who_asks(database: Database, head_pool: Pool) -> None:
    market, bots = tape(), entries(head_pool)[:2]
    here = play_entries(head_pool, bots, market, RULES, seed=7)
    seen: list[str] = []

    class Lossy(BacktestWork):
        """Loses its lease the first time, as a machine that dies does."""

        def __call__(self, *asked: Any) -> dict[str, Any]:
            if not seen:
                with database.begin() as connection:
                    connection.execute(text("UPDATE farm_jobs SET lease_until = 1, taken_by = 'a dead machine'"))
            seen.append(asked[2]["market"])
            return super().__call__(*asked)

    plays = FarmPlays(Farm(database, head_pool, {BACKTEST: Lossy()}, patience=0.0))
    assert told(plays(bots, market, RULES, seed=7), market) == told(here, market)
    assert len(seen) == 3
    # The same inputs again have their results.
    assert told(plays(bots, market, RULES, seed=7), market) == told(here, market)
    assert len(seen) == 3


def test_who_gives_work_up_leaves_nothing_behind(database: Database, head_pool: Pool) -> None:
    market, bots = tape(), entries(head_pool)[:3]

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    plays = FarmPlays(Farm(database, head_pool, {BACKTEST: BacktestWork()}, patience=0.0))
    with pytest.raises(KeyboardInterrupt):
        plays(bots, market, RULES, progress=stop)
    assert takers(database, BACKTEST) == set()


def test_machines_with_other_limits_do_not_take_the_work(database: Database, head_pool: Pool) -> None:
    own = kind_of(BACKTEST, head_pool.limits)
    assert kind_of(BACKTEST, replace(head_pool.limits, uid_base=1, nice=0)) == own
    assert kind_of(BACKTEST, replace(head_pool.limits, memory_bytes=1)) != own
    assert take_job(database, "one", [own], 30.0) is None


def test_a_result_is_read_some_rows_at_a_time(head_pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtests, "_PART", 7)
    market, bots = tape(), entries(head_pool)
    (first,) = [entry for entry in bots if entry.candidate.file == "0.py"]
    (result,) = play_entries(head_pool, [first], market, RULES, seed=7)
    assert result.play is not None
    kept = result.play.ledger
    parts = decode(backtests._parts(result), backtests.ResultParts).play
    for rows, packed in ((kept.orders, parts.orders), (kept.trades, parts.trades), (kept.logs, parts.logs)):
        counts = [len(msgpack.unpackb(part)) for part in packed]
        assert sum(counts) == len(rows) > 7
        assert max(counts) == 7


def test_what_the_queue_cannot_hold_is_said(
    database: Database, head_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays = FarmPlays(Farm(database, head_pool, {BACKTEST: BacktestWork()}, patience=0.0))
    bots = entries(head_pool)[:1]
    with monkeypatch.context() as patched:
        patched.setattr(backtests, "_MOST_PACKED", 100)
        with pytest.raises(TooLargeError, match="the queue takes"):
            plays(bots, tape(), RULES)
    # A market that was forgotten meanwhile is asked for again in words.
    work = BacktestWork()
    with pytest.raises(ArenaError, match="not in the queue any more"):
        work(database, head_pool, {"market": "0" * 64}, lambda _: None)
    plays(bots, tape(), RULES)
    with database.begin() as connection:
        connection.execute(text("UPDATE farm_jobs SET updated_at = 1"))
    forget_jobs(database)
    assert takers(database, BACKTEST) == takers(database, "market") == set()


@pytest.mark.long
def test_a_server_gives_its_long_work_to_the_farm(tmp_path: Path) -> None:
    (tmp_path / "season.csv").write_text(market_text(260))
    settings = settings_for(
        tmp_path, farm=True, data_dir=str(tmp_path), feed=f"replay:{tmp_path / 'season.csv'}", tick_cpu_hard=20.0
    )
    (tmp_path / "bots" / "farmed.py").write_text(bot_source(BUYER, name="Farmed"))
    database = open_database(settings.url)
    upgrade(database)
    pool = Pool("arena.runtime.bot:BotRuntime", replace(settings.limits, uid_base=45_000))
    pool.start()
    worker = FarmWorker(database, pool, works())
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        with running(settings, tmp_path) as arena:
            until(lambda: arena.get("/status")["state"] == "finished", "the recording has ended")
            bot = arena.seat("Farmed").id
            tape_name = uploaded(arena, "prices.csv", market_text())["name"]
            found = arena.get(f"/backtests/{played(arena, bots=[bot], tape=tape_name)}")
            assert found["report"]["bots"][0]["trades"] == 1
            asked = arena.api("POST", f"/bots/{bot}/robust").json()
            assert arena.job(f"/jobs/{asked['id']}")["status"] == "done"
            assert arena.proof(bot)["status"] == "reproduced"
    finally:
        worker.stop()
        thread.join()
        pool.stop()
    # Without the farm the server would have none of these rows; on a busy machine it may have helped.
    assert all(takers(database, work) for work in works())
    database.dispose()
