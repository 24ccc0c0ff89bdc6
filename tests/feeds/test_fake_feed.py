"""`arena fake-feed`: an arena with its settings receives prices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import typer
from scenes import play, running
from test_binance import QUICK
from typer.testing import CliRunner

from arena.cli.fake_feed import register
from arena.config import load
from arena.feeds.binance.feed import BinanceFeed
from arena.feeds.fakes.simulation import NAMES, make_simulation

PROGRAM = (
    "import typer; from arena.cli.fake_feed import register\n"
    "app = typer.Typer(); app.callback()(lambda: None); register(app); app()"
)


@contextlib.asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, "fake-feed", *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield program
    finally:
        program.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            await program.communicate()


async def settings(program: asyncio.subprocess.Process) -> dict[str, str]:
    assert program.stdout is not None
    lines = [(await program.stdout.readline()).decode() for _ in range(5)]
    assert lines[0].startswith("# ")
    return dict(shlex.split(line)[0].split("=", 1) for line in lines[1:])


def test_a_connector_with_the_printed_settings_receives_prices() -> None:
    async def scene() -> None:
        async with started("binance", "--symbols", "DOGEUSDT", "--every", "0.01", "--fault-every", "1") as program:
            found = await settings(program)
            assert found["FEED"] == "binance"
            symbols = json.loads(found["DATA_SOURCES__BINANCE__SYMBOLS"])
            assert symbols == ["DOGEUSDT"]
            ws_url, base_url = (found[f"DATA_SOURCES__BINANCE__{name}_URL"] for name in ("WS", "BASE"))
            feed = BinanceFeed(symbols, ws_url, (), base_url=base_url, timing=QUICK)
            async with running(feed) as heard:
                await heard.until(lambda: bool(heard.updates))
            assert program.stdout is not None
            assert b"fault: " in await program.stdout.readline()

    play(scene)


@pytest.mark.parametrize("venue", NAMES)
def test_the_settings_of_every_venue_are_settings_of_an_arena(
    venue: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def scene() -> None:
        async with make_simulation(venue) as double:
            monkeypatch.chdir(tmp_path)
            for name, value in double.settings().items():
                monkeypatch.setenv(name, value)
            found = load()
            assert found.feeds == [venue]
            assert found.data_sources.symbols_of(venue) == list(double.walk.made)

    play(scene)


def test_a_venue_without_a_fake_is_named() -> None:
    app = typer.Typer()
    register(app)
    found = CliRunner().invoke(app, ["nasdaq"])
    assert found.exit_code == 2
    assert "'nasdaq' has no fake" in found.output
