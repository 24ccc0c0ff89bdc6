"""`arena record` against a loopback Binance: what it keeps, how it ends, and what a killed one leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import orjson
import pytest

from arena.feeds.fakes.binance import FakeBinance
from arena.feeds.history import load_history
from arena.feeds.recording.reader import FrameBatch, sessions
from tests.arenas import PATIENCE

SYMBOL = "BTCUSDT"
ROOT = Path(__file__).resolve().parents[2]


def play(scene: Callable[[], Awaitable[None]]) -> None:
    """Run one scene to its end; processes take their time to start."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await scene()

    asyncio.run(bounded())


def numbers_in(path: Path) -> list[int]:
    """Return the numbers of the recorded trades, in order."""
    if not path.exists() or not path.stat().st_size:
        return []
    with path.open("rb") as stream:
        frames = [frame for found in sessions(stream) if isinstance(found, FrameBatch) for frame in found.frames]
    events = [orjson.loads(frame.payload) for frame in frames]
    return [event["data"]["t"] for event in events if event.get("stream") == f"{SYMBOL.lower()}@trade"]


@asynccontextmanager
async def recorder(fake: FakeBinance, folder: Path, *flags: str) -> AsyncIterator[Process]:
    """Run the command in a process of its own, which is gone afterwards."""
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT),
        "DATA_SOURCES__BINANCE__SYMBOLS": f'["{SYMBOL}"]',
        "DATA_SOURCES__BINANCE__WS_URL": fake.url, "DATA_SOURCES__BINANCE__BASE_URL": fake.rest_url,
    }  # fmt: skip
    command = (sys.executable, "-m", "arena", "record", "--feed", "binance", "--out", "m.arena", *flags)
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, stdout=PIPE, stderr=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def trading(fake: FakeBinance) -> AsyncIterator[None]:
    """Trade at prices that go up by one, for as long as the scene lasts."""
    await fake.subscribed(f"{SYMBOL.lower()}@trade")
    task = asyncio.create_task(fake.keep_trading(({SYMBOL: float(n)} for n in count(1)), every=0.005))
    try:
        yield
    finally:
        task.cancel()


async def until(happened: Callable[[], bool]) -> None:
    """Look again and again; the scene has a deadline."""
    while not happened():  # noqa: ASYNC110 - a file that another process writes tells nobody
        await asyncio.sleep(0.02)


async def received(fake: FakeBinance) -> None:
    """Wait until the recorder has what was sent: it answers a ping after what came before."""
    for connection in list(fake.sessions):
        await (await connection.ping())


@pytest.mark.system
def test_ctrl_c_ends_a_recording_with_everything_in_the_file(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeBinance() as fake, recorder(fake, tmp_path) as process:
            async with trading(fake):
                await until(lambda: len(numbers_in(tmp_path / "m.arena")) >= 20)
            await received(fake)
            process.send_signal(signal.SIGINT)
            out, err = await process.communicate()
            assert process.returncode == 0, err
            found = numbers_in(tmp_path / "m.arena")
            assert found == list(range(found[0], found[-1] + 1))
            assert len(found) == fake.sent["trade"] - found[0] + 1
            words = out.decode()
            assert f"m.arena: {len(found):,} frames" in words
            assert f"{SYMBOL} {found[-1]}, from binance" in words
        assert load_history([str(tmp_path / "m.arena")], interval=0.01).prices[-1, 0] in found

    play(scene)


@pytest.mark.system
def test_a_recorder_killed_in_the_middle_leaves_a_file_that_is_read_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "m.arena"

    async def scene() -> None:
        async with FakeBinance() as fake:
            async with recorder(fake, tmp_path) as process, trading(fake):
                await until(lambda: len(numbers_in(path)) >= 20)
                process.send_signal(signal.SIGKILL)
                await process.wait()
            kept = numbers_in(path)
            assert kept == list(range(kept[0], kept[0] + len(kept)))
            assert load_history([str(path)], interval=0.01).prices[-1, 0] in kept
            path.write_bytes(path.read_bytes() + b"half a block")
            async with recorder(fake, tmp_path, "--append") as process, trading(fake):
                await until(lambda: len(numbers_in(path)) >= len(kept) + 5)
                process.send_signal(signal.SIGTERM)
                _, err = await process.communicate()
            assert process.returncode == 0
            assert b"12 bytes of a torn tail were cut off" in err
            assert numbers_in(path)[: len(kept)] == kept
            assert "torn_tail" not in load_history([str(path)], interval=None).defects

    play(scene)


def test_a_recording_ends_after_its_seconds_and_says_if_nothing_came(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeBinance() as fake, recorder(fake, tmp_path, "--seconds", "0.3") as process:
            _, err = await process.communicate()
            assert process.returncode == 1
            assert b"Not a single frame was received." in err

    play(scene)


@pytest.mark.system
def test_ctrl_c_before_the_seconds_are_over_is_an_interruption(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeBinance() as fake, recorder(fake, tmp_path, "--seconds", "600") as process, trading(fake):
            await until(lambda: bool(numbers_in(tmp_path / "m.arena")))
            process.send_signal(signal.SIGINT)
            await process.communicate()
            assert process.returncode == 130

    play(scene)


def test_a_venue_that_serves_nobody_here_ends_it_with_a_sentence(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeBinance() as fake:
            fake.refuse(451, times=10)
            async with recorder(fake, tmp_path) as process:
                _, err = await process.communicate()
            assert process.returncode == 1
            assert b"does not serve this location" in err

    play(scene)


def test_a_file_that_is_there_is_not_touched(run, tmp_path: Path) -> None:
    path = tmp_path / "m.arena"
    path.write_text("mine")
    done = run("record", "--feed", "binance", "--out", path)
    assert (done.code, path.read_text()) == (2, "mine")
    assert "is there already; --append goes on with it." in " ".join(done.err.split())
    assert run("record", "--feed", "binance", "--out", path, "--append").code == 2
    assert path.read_text() == "mine"


@pytest.mark.parametrize("feed", ["synthetic", "replay:pyproject.toml", "nowhere"])
def test_only_live_feeds_can_be_recorded(run, tmp_path: Path, feed: str) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    done = run("record", "--feed", feed, "--out", tmp_path / "m.arena")
    assert done.code == 2
    assert "FEED" in done.err
    assert not (tmp_path / "m.arena").exists()
