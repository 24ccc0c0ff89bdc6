"""The one door for programs: examined, tried, named, let in."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from arena.submissions.intake import remedy_of
from sandbox.pool import Pool
from sandbox.talk.checked import CheckResult
from sandbox.talk.request import WorkerRequest
from sandbox.talk.worker import Worker
from tests.arenas import BUYER, Running, bot_source, running, settings_for


def test_uploads_at_the_same_moment_never_share_a_name(live: Running, own_name: str) -> None:
    def upload(n: int) -> str:
        return str(live.upload(bot_source(f"x = {n}", name=own_name), "Ann")["name"])

    with ThreadPoolExecutor(4) as threads:
        names = list(threads.map(upload, range(4)))
    assert sorted(names) == [own_name, f"{own_name} v2", f"{own_name} v3", f"{own_name} v4"]
    statuses = [live.get(f"/bots/{name}")["status"] for name in sorted(names)]
    assert statuses[:3] == ["retired"] * 3


def test_a_source_is_checked_once_and_what_was_checked_runs(
    live: Running, own_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = bot_source(name=own_name)
    checked: list[CheckResult] = []
    spawned: list[bytes] = []
    check, spawn = Pool.check, Pool.spawn

    def counted_check(pool: Pool, source: bytes, meanwhile: Callable[[], object] | None = None) -> CheckResult:
        result = check(pool, source, meanwhile)
        # Other arenas of this process may check and start other bots meanwhile.
        if source == mine.encode():
            checked.append(result)
        return result

    def counted_spawn(pool: Pool, program: bytes, meta: bytes) -> tuple[Worker, WorkerRequest]:
        spawned.append(program)
        return spawn(pool, program, meta)

    monkeypatch.setattr(Pool, "check", counted_check)
    monkeypatch.setattr(Pool, "spawn", counted_spawn)
    live.admitted(mine)
    (once,) = checked
    assert [program for program in spawned if program == once.program] == [once.program] * 2


@pytest.mark.parametrize(
    ("feed", "remedy"),
    [
        ("binance", "; add it to DATA_SOURCES__BINANCE__SYMBOLS"),
        ("synthetic", "; add it to DATA_SOURCES__BINANCE__SYMBOLS"),
        ("alpaca,manifold", "; add it to DATA_SOURCES__ALPACA__SYMBOLS or DATA_SOURCES__MANIFOLD__MARKETS"),
        ("ccxt:kraken", "; add it to DATA_SOURCES__CCXT__SYMBOLS"),
        ("replay:a.csv, b.csv:0123", ""),
    ],
)
def test_a_symbol_that_a_market_lacks_comes_with_the_setting_of_that_market(feed: str, remedy: str) -> None:
    assert remedy_of(feed) == remedy


@pytest.mark.system
def test_a_full_arena_says_so(tmp_path: Path) -> None:
    with running(settings_for(tmp_path, max_bots=1), tmp_path) as arena:
        arena.upload(bot_source(name="First"))
        answer = arena.api("POST", "/bots", json={"source": bot_source(name="Second")})
        assert answer.status_code == 409
        assert "MAX_BOTS" in answer.json()["detail"]
        arena.api("DELETE", "/bots/First")
        assert arena.upload(bot_source(name="Second"))["name"] == "Second"


@pytest.mark.system
def test_a_full_arena_still_takes_the_next_version(tmp_path: Path) -> None:
    with running(settings_for(tmp_path, max_bots=1), tmp_path) as arena:
        arena.upload(bot_source(name="First"))
        assert arena.upload(bot_source("x = 1", name="First"))["name"] == "First v2"


@pytest.mark.system
@pytest.mark.postgres
def test_a_whole_arena_runs_on_postgresql_and_goes_on_after_a_restart(tmp_path: Path, postgres_url) -> None:
    url = postgres_url().replace("postgresql+psycopg://", "postgresql://")
    settings = settings_for(tmp_path, database_url=url)
    with running(settings, tmp_path) as arena:
        seat = arena.admitted(bot_source(BUYER, name="Elephant"))
        done = arena.submit("buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC \x00")
        assert done["status"] == "admitted"
        arena.ticks(12)
        account, n = seat.account, arena.arena.engine.market.n
        assert account.sizes() == {"BTCUSDT": 0.001}
        assert arena.get("/leaderboard")["items"][0]["equity"] > 0
    assert not (tmp_path / "lab.db").exists()
    with running(settings, tmp_path) as arena:
        arena.ticks(1)
        assert arena.seat("Elephant").account == account
        assert arena.arena.engine.market.n > n
        assert arena.get("/seasons")["items"][0]["number"] == 1
