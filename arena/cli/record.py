"""`arena record`: the configured live feeds into a file, and nothing else."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from arena import config
from arena.cli.output import complain, console, errors, plain, plural
from arena.clock import CLOCK
from arena.errors import SettingsError

if TYPE_CHECKING:
    from arena.feeds.base import LiveFeed
    from arena.feeds.live import LiveMarket
    from arena.feeds.recording.writer import Recording
    from arena.store.usage import DatabaseUsage

_LINE_EVERY = 10.0  # seconds, where there is no terminal to rewrite a line on


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(record)


def record(
    out: Annotated[Path, typer.Option("--out", help="File to write, such as market.arena.")],
    feed: Annotated[str | None, typer.Option(help="Live feeds, as in FEED; the enabled sources if not given.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.0, help="Stop after so many; else at Ctrl-C.")] = None,
    append: Annotated[bool, typer.Option("--append", help="Continue a recording that exists.")] = False,
    db: Annotated[Path | None, typer.Option(help="SQLite file, where feeds keep their daily budgets.")] = None,
) -> None:
    """Record what the live feeds send, byte for byte, for backtests and replays."""
    settings = config.load(feed=feed, db_path=None if db is None else str(db))
    from arena.feeds.live import LiveMarket
    from arena.feeds.recording.writer import start_recording

    feeds = _feeds(settings)
    recording = start_recording(out, feeds, settings, append=append)
    market = LiveMarket(feeds, stale_intervals=settings.stale_intervals, record=recording.write, clock=CLOCK.now)
    started = time.monotonic()
    try:
        ended_early = _run(feeds, market, recording, seconds, settings.log_level)
    finally:
        recording.close()
    _summarise(recording, feeds, market, time.monotonic() - started)
    if recording.problem or not recording.frames or len(_failures(feeds, market)) == len(feeds):
        raise typer.Exit(1)
    # Ctrl-C is how a recording without a length ends.
    raise typer.Exit(130 if ended_early and seconds is not None else 0)


def _feeds(settings: config.Settings) -> list[LiveFeed]:
    from arena.feeds.venues import make_feed

    chosen = settings.feeds
    if chosen == ["synthetic"] or chosen[0].startswith("replay:"):
        raise SettingsError([f"FEED is {chosen[0]}; only live feeds can be recorded, as in --feed binance."])
    return [make_feed(name, settings, _book(settings, name)) for name in chosen]


def _book(settings: config.Settings, name: str) -> DatabaseUsage | None:
    """Return where a feed with a daily budget keeps what it has used; the others need no database."""
    if name != "stockdata":
        return None
    from arena.store.database import open_database, upgrade
    from arena.store.usage import DatabaseUsage

    database = open_database(settings.url)
    upgrade(database)
    return DatabaseUsage(database, name)


def _run(
    feeds: list[LiveFeed], market: LiveMarket, recording: Recording, seconds: float | None, log_level: str
) -> bool:
    """Record until the time is over, nothing can be recorded any more, or a signal; return whether it was that."""
    from arena import log
    from arena.feeds.runner import FeedRunner

    runner = FeedRunner()
    deadline = float("inf") if seconds is None else time.monotonic() + seconds
    next_line = time.monotonic() + _LINE_EVERY
    with _stop_signals() as stopped, errors.status("Connecting.") as line:
        log.set_up(log_level)
        runner.start(feeds, market)
        try:
            while not stopped.wait(min(0.5, max(0.0, deadline - time.monotonic()))):
                now = time.monotonic()
                line.update(Text(_words(recording, market)))
                if not errors.is_terminal and now >= next_line:
                    next_line = now + _LINE_EVERY
                    complain(_words(recording, market))
                if now >= deadline or recording.problem or len(_failures(feeds, market)) == len(feeds):
                    break
        finally:
            runner.stop()
    return stopped.is_set()


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Turn Ctrl-C and SIGTERM into an event, so that what was received is written to its end."""
    stopped = threading.Event()
    wanted = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stopped.set()) for number in wanted]
    try:
        yield stopped
    finally:
        for number, handler in zip(wanted, before, strict=True):
            signal.signal(number, handler)


def _words(recording: Recording, market: LiveMarket) -> str:
    prices = market.prices_at(CLOCK.now())
    shown = ", ".join(f"{symbol} {plain(price, 8)}" for symbol, price in list(prices.items())[:4])
    return f"{plural(recording.frames, 'frame')}, {plural(recording.bytes, 'byte')}; {shown or 'no price yet'}"


def _failures(feeds: list[LiveFeed], market: LiveMarket) -> list[str]:
    """Return what the feeds that have given up say."""
    from arena.feeds.base import FeedState

    conditions = [market.condition(feed.name) for feed in feeds]
    return [found.detail for found in conditions if found is not None and found.state is FeedState.FAILED]


def _summarise(recording: Recording, feeds: list[LiveFeed], market: LiveMarket, took: float) -> None:
    if recording.cut_off:
        verb = "was" if recording.cut_off == 1 else "were"
        complain(f"{plural(recording.cut_off, 'byte')} of a torn tail {verb} cut off before going on.")
    for sentence in (*_failures(feeds, market), recording.problem):
        if sentence:
            complain(sentence)
    if not recording.frames:
        complain("Not a single frame was received.")
    if recording.lost:
        complain(f"{plural(recording.lost, 'frame')} could not be kept; the disk is too slow.")
    names = ", ".join(feed.name for feed in feeds)
    text = f"{recording.path}: {_words(recording, market)}, from {names}, in {took:,.0f} s."
    console.print(text, markup=False, soft_wrap=True)
