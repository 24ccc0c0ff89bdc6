"""A market that ended while it was recorded ends in the replay as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scenes import play, running
from test_recording_replay import START, frame, recorded, shown_by

from arena.config import Settings
from arena.feeds.base import History, PriceUpdate, Resolution
from arena.feeds.fakes.manifold import FakeManifold
from arena.feeds.files import recording
from arena.feeds.history import load_history
from arena.feeds.manifold.feed import ManifoldFeed
from arena.feeds.recording.layout import RecordedFeed
from arena.feeds.recording.writer import start_recording


class Ending:
    """Reads `SYMBOL PRICE` as a price, `SYMBOL PRICE end` as the end of the symbol."""

    def parse(self, payload: bytes, receive_time: float) -> list[PriceUpdate | Resolution]:
        symbol, price, *end = payload.decode().split()
        if end:
            told = None if price == "none" else float(price)
            return [Resolution(symbol, told, receive_time - 9, receive_time)]
        return [PriceUpdate(symbol, float(price), receive_time - 9, receive_time, "venue")]


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[list[tuple[float, bytes]]], History]:
    """Record and replay payloads of a venue whose markets end."""
    monkeypatch.setattr(recording, "parser_for", lambda _feed: Ending())

    def replay(told: list[tuple[float, bytes]]) -> History:
        frames = [frame(START + at, payload, "venue") for at, payload in told]
        return load_history([recorded(tmp_path / "m.arena", frames, [RecordedFeed("venue", ())])], interval=None)

    return replay


def test_a_symbol_that_ends_has_no_price_from_the_tick_that_knows_it(ending) -> None:
    history = ending([(0.5, b"A 0.4"), (0.6, b"B 0.9"), (2.5, b"A 1 end"), (2.6, b"A 0.7"), (4.5, b"B 0.8")])
    assert shown_by(history) == [{"A": 0.4, "B": 0.9}, {"A": 0.4, "B": 0.9}, {"B": 0.9}, {"B": 0.9}]
    assert history.resolutions == {"A": (START + 2.5, 1.0)}
    assert history.defects == {"after_end": 1}


def test_the_market_goes_on_to_the_tick_at_which_its_last_symbol_ends(ending) -> None:
    history = ending([(0.5, b"A 0.4"), (3.2, b"A none end"), (3.3, b"A 1 end"), (3.4, b"NEVER 1 end")])
    assert shown_by(history) == [{"A": 0.4}, {"A": 0.4}, {"A": 0.4}, {}]
    assert history.resolutions == {"A": (START + 3.2, None)}


def test_a_prediction_market_is_replayed_to_its_end(tmp_path: Path) -> None:
    now = [START + 0.5]
    ends: list[Resolution] = []
    rain = "EvIhzcJXwhL0HavaszD7"
    path = tmp_path / "m.arena"

    async def scene() -> None:
        async with FakeManifold(clock=lambda: now[0]) as fake:
            fake.markets.list_binary(rain, "will-it-rain", 0.5)
            feed = ManifoldFeed(["will-it-rain"], 60.0, fake.rest_url, fake.url, clock=lambda: now[0])
            settings = Settings(data_sources={"manifold": {"markets": ["will-it-rain"]}})
            recording = start_recording(path, [feed], settings)
            async with running(feed) as heard:
                await fake.subscribed(f"contract/{rain}/new-bet")
                now[0] += 1
                await fake.broadcast(fake.markets.bet(rain, 0.6, moment=now[0] - 0.1))
                await heard.until(lambda: 0.6 in heard.prices)
                now[0] += 1
                await fake.broadcast(fake.markets.resolve(rain, "YES"))
                await heard.until(lambda: bool(heard.resolutions))
            ends.extend(heard.resolutions)
            for one in heard.frames:
                recording.write(one)
            recording.close()

    play(scene)
    history = load_history([str(path)], interval=None)
    assert shown_by(history) == [{"will-it-rain": 0.5}, {"will-it-rain": 0.6}, {}]
    assert history.resolutions == {"will-it-rain": (START + 2.5, ends[0].price)}
    assert ends[0].price == 1.0
