"""Tuning changes memory and time and nothing else: walls, limits and trades are the same with it and without."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.doctor import examine
from sandbox.pool import Pool
from sandbox.process.launch import ZygoteLaunch
from sandbox.process.limits import Limits
from sandbox.talk.gather import gather
from sandbox.talk.protocol import Kind
from sandbox.talk.request import WorkerReply, WorkerRequest
from sandbox.talk.verdict import Verdict
from tests.arenas import until
from tests.sandbox.conftest import running
from tests.sandbox.market import HARD, SOFT, WALL, bot
from tests.sandbox.plays import play

RUNTIME = "arena.runtime.bot:BotRuntime"
ADDR_NO_RANDOMIZE = 0x0040000
TRADER = bot(
    "HISTORY.append(ctx.get_price('BTCUSDT'))\n"
    "if random.random() < 0.5: ctx.submit_order('BTCUSDT', 'BUY', 0.1)\n"
    "else: ctx.submit_order('BTCUSDT', 'SELL', 0.1)\n"
    "ctx.log(f'{ctx.get_cash()} {float(np.mean(HISTORY))} {sorted(map(hash, (int, np.ndarray)))} {object()}')",
    "import random\nimport numpy as np\nHISTORY = []\n",
)
REFUSED = b"import os\nPID = os.getpid()\nNAME = 'x'\nSYMBOLS = []\ndef on_tick(ctx, tick):\n    pass\n"


@pytest.fixture(scope="module", params=[True, False], ids=["tuned", "untuned"])
def bots_either_way(request: pytest.FixtureRequest, canary: str) -> Iterator[Pool]:
    with running(RUNTIME, canary, tuned=request.param) as pool:
        yield pool


@pytest.fixture(scope="module", params=[True, False], ids=["tuned", "untuned"])
def liars_either_way(request: pytest.FixtureRequest, canary: str) -> Iterator[Pool]:
    with running("tests.sandbox.guests:Liar", canary, tuned=request.param) as pool:
        yield pool


def ask(pool: Pool, *what: object) -> WorkerReply:
    worker, start = pool.spawn(pool.check(b"x = 1\n").program, b"")
    try:
        assert gather([start])[0].payload == b"ready"
        return gather([WorkerRequest(worker, Kind.CALL, json.dumps(what).encode(), SOFT, HARD, WALL)])[0]
    finally:
        worker.close()


def test_a_bot_trades_and_logs_the_same(bots: Pool, bots_either_way: Pool) -> None:
    status, logs, wrong = play(bots_either_way, TRADER, 40)
    assert (status, wrong) == ("ok", [])
    assert len(logs) >= 40
    assert play(bots, TRADER, 40) == (status, logs, wrong)


def test_the_lock_down_is_the_same(bots: Pool, bots_either_way: Pool) -> None:
    assert bots_either_way.confinement == bots.confinement
    assert "seccomp" in bots_either_way.confinement["layers"]


def test_a_source_is_refused_the_same(bots: Pool, bots_either_way: Pool) -> None:
    found = bots_either_way.check(REFUSED)
    assert [item["rule"] for item in found.violations] == ["import-not-offered"]
    assert found == bots.check(REFUSED)


@pytest.mark.parametrize(("what", "verdict"), [
    ("echo", Verdict.OK), ("spin", Verdict.TIMEOUT), ("flood", Verdict.OUTPUT_LIMIT),
])  # fmt: skip
def test_an_exchange_ends_the_same(liars_either_way: Pool, what: str, verdict: Verdict) -> None:
    arguments = ("hello",) if what == "echo" else ()
    assert ask(liars_either_way, what, *arguments).verdict is verdict


def test_addresses_are_random(bots_either_way: Pool) -> None:
    persona = int(Path(f"/proc/{bots_either_way.zygote_pid}/personality").read_text("ascii"), 16)
    assert not persona & ADDR_NO_RANDOMIZE


@pytest.mark.long  # a whole examination; `test_the_lock_down_is_the_same` compares the layers
def test_the_doctor_finds_nothing_open_without_tuning() -> None:
    found = examine(tuned=False)
    assert found.level in {"A", "B"}
    assert [row.act for row in found.acts if row.verdict == "OPEN"] == []


def test_without_tuning_no_spare_children_are_kept_and_no_tuned_zygote_is_used() -> None:
    begun = ZygoteLaunch(RUNTIME)
    pool = Pool(RUNTIME, Limits(uid_base=28_300), begun=begun, tuned=False)
    pool.start()
    try:
        pool.keep_ready()
        assert pool.check(TRADER).accepted
        arguments = Path(f"/proc/{pool.zygote_pid}/cmdline").read_bytes().split(b"\0")
        assert b"rehearsal" not in arguments
        assert len(pool._spares) == 0
    finally:
        pool.stop()
    until(lambda: not Path(f"/proc/{begun._process.pid}").exists(), "the zygote that was begun has ended")
