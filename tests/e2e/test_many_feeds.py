"""Four venues make one market: fakes in processes of their own, a real server, a bot that trades on all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from arena.feeds.history import load_history
from tests.arenas import bot_source
from tests.e2e.server import PATIENCE, ROOT, Server

VENUES = ("binance", "alpaca", "manifold", "stockdata")
BUY_ALL = """
for symbol in tick["prices"]:
    if ctx.get_position(symbol) == 0:
        ctx.submit_order(symbol, "BUY", 0.01)
"""


@contextmanager
def fake(venue: str) -> Iterator[dict[str, str]]:
    """Run a made-up venue and return the settings that it prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "arena", "fake-feed", venue, "--every", "0.1"],
        stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        settings: dict[str, str] = {}
        while f"DATA_SOURCES__{venue.upper()}__BASE_URL" not in settings:
            line = process.stdout.readline()
            assert line, f"the fake {venue} has ended"
            name, found, value = line.strip().partition("=")
            if found and not line.startswith("#"):
                settings[name] = value.strip("'")
        yield settings
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)
        process.stdout.close()


@pytest.mark.long  # four venues and a server; `test_live` runs feeds without a server
def test_four_feeds_make_one_market_and_one_of_them_may_go(tmp_path: Path) -> None:
    (tmp_path / "bots").mkdir()
    (tmp_path / "bots" / "all.py").write_text(bot_source(BUY_ALL, name="All"))
    with ExitStack() as stack:
        going = stack.enter_context(ExitStack())
        settings = going.enter_context(fake("binance"))
        for venue in VENUES[1:]:
            settings |= stack.enter_context(fake(venue))
        more = {
            "FEED": ",".join(VENUES), "BOTS_DIR": str(tmp_path / "bots"), "RECORD_DIR": str(tmp_path / "raw"),
            "STALE_INTERVALS": "0.3", "TICK_INTERVAL_SECONDS": "0.2",
        }  # fmt: skip
        server = Server(tmp_path, **{**settings, **more})
        try:
            symbols = server.wait_for(lambda: _all_priced(server))
            assert {found["feed"] for found in symbols.values()} == set(VENUES)
            server.wait_for(lambda: _takes_part(server, "All"))
            # New York may be closed at this hour; the other venues are always open.
            wanted = {name for name, found in symbols.items() if found["feed"] != "stockdata"}
            server.wait_for(lambda: wanted <= _traded(server))
            going.close()
            server.wait_for(lambda: _binance_alone_is_gone(server))
            before = server.get("/prices")["tick"]
            server.wait_for(lambda: server.get("/prices")["tick"] > before + 5)
        finally:
            server.end()
    history = load_history([str(tmp_path / "raw" / "season-1.arena")], interval=None)
    assert set(history.symbols) >= set(symbols)


def _all_priced(server: Server) -> dict[str, dict[str, str]] | None:
    symbols: dict[str, dict[str, str]] = server.get("/status")["feeds"]["symbols"]
    return symbols if {found["feed"] for found in symbols.values()} == set(VENUES) else None


def _takes_part(server: Server, name: str) -> bool:
    """Say whether a bot of the folder has been read and admitted, which goes on while feeds connect."""
    return any(bot["name"] == name for bot in server.get("/bots")["items"])


def _traded(server: Server) -> set[str]:
    return {trade["symbol"] for trade in server.get("/bots/All/trades")["items"]}


def _binance_alone_is_gone(server: Server) -> bool:
    """Say whether its prices are old and it is told so, while another venue's are fresh."""
    status = server.get("/status")
    feeds, symbols = status["feeds"]["feeds"], status["feeds"]["symbols"]
    return (
        symbols["BTCUSDT"]["state"] == "stale"
        and feeds["binance"]["state"] in {"down", "connecting"}
        and feeds["alpaca"]["state"] == "live"
        and symbols["AAPL"]["state"] == "fresh"
        and any("BTCUSDT" in note and "old" in note for note in status["notes"])
    )
