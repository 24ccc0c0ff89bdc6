"""The note at start says what is true of the feeds: where prices come from, or why none come."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from arena.config import load
from arena.feeds.fakes.binance import FakeBinance
from arena.feeds.runner import FeedRunner
from arena.market import choose_market
from arena.store.database import open_database, upgrade


def note_of(folder: Path, **binance: object) -> str:
    """Return the note of a server that would start with these settings of Binance."""
    database = open_database(f"sqlite:///{folder / 'lab.db'}")
    upgrade(database)
    settings = load(feed="binance", data_sources={"binance": binance}, feed_wait_seconds=60.0)
    runner = FeedRunner()
    try:
        return choose_market(settings, database, runner).note
    finally:
        runner.stop()
        database.dispose()


@pytest.mark.parametrize(
    ("symbols", "note"),
    [
        (["BTCUSDT"], "Prices are live, from Binance."),
        (
            ["BTCUSD"],
            "Binance has no BTCUSD (near: BTCUSDT): left out. No feed has prices to give: the clock waits.",
        ),
    ],
)
def test_prices_are_called_live_only_where_some_will_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, symbols: list[str], note: str
) -> None:
    monkeypatch.chdir(tmp_path)

    async def scene() -> None:
        async with FakeBinance() as fake:
            fake.market.list_symbols("BTCUSDT", "ETHUSDT")
            asked = asyncio.to_thread(note_of, tmp_path, symbols=symbols, ws_url=fake.url, base_url=fake.rest_url)
            told = asyncio.create_task(asked)
            if symbols == ["BTCUSDT"]:
                await fake.subscribed("btcusdt@trade")
                await fake.trade("BTCUSDT", "2")
            assert await told == note

    asyncio.run(asyncio.wait_for(scene(), 120.0))
