"""Chooses the market at start: the configured feeds, a recording, or the synthetic one in their place."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine as Database

from arena.clock import CLOCK
from arena.config import Settings
from arena.core.baselines import benchmark_problem
from arena.core.scoring import default_score_interval
from arena.dates import read_length
from arena.engine.backtest.market import read_market
from arena.engine.live.sources import LiveSource, ReplaySource, SyntheticSource, TickSource
from arena.errors import SettingsError
from arena.feeds.base import LiveFeed, RawFrame
from arena.feeds.live import LiveMarket
from arena.feeds.recording.writer import Recording, start_recording
from arena.feeds.runner import FeedRunner
from arena.feeds.synthetic import SyntheticMarket
from arena.feeds.venues import make_feed, title_of
from arena.store.models import Season
from arena.store.seasons import SeasonPlan, open_season_with_key, season_seeds
from arena.store.usage import DatabaseUsage

log = logging.getLogger("arena")

_ALWAYS = ("BTCUSDT", "ETHUSDT")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A market, the season it belongs to, and what to say about it; `end` is called as a season ends."""

    make_source: Callable[[Season], TickSource]
    plan: SeasonPlan
    note: str
    end: Callable[[], None] = lambda: None


def choose_market(settings: Settings, database: Database, runner: FeedRunner) -> Chosen:
    """Return the market to run on; falls back to the synthetic one only where no live season is open."""
    feeds = settings.feeds
    if feeds and feeds[0].startswith("replay:"):
        return _replay(settings)
    if feeds == ["synthetic"]:
        return _synthetic(settings, database, "Prices are made up: the synthetic market is chosen by FEED.")
    return _live(settings, database, runner)


def _plan(
    settings: Settings,
    feed: str,
    symbols: tuple[str, ...],
    seed: int | None = None,
    bar: float | None = None,
    origin: float | None = None,
) -> SeasonPlan:
    """Return the plan of a season; `bar` are the seconds between two ticks of a recording, `origin` its first time."""
    problem = benchmark_problem(settings.benchmark, symbols)
    if problem is not None:
        raise SettingsError([problem])
    interval = settings.tick_interval_seconds
    usual = default_score_interval(interval if bar is None else bar, replay=bar is not None)
    return SeasonPlan(
        feed, tuple(symbols), interval, settings.season_rules, seed,
        score_interval=settings.score_interval or usual, benchmark=settings.benchmark,
        length=read_length(settings.season_length) if settings.season_length else None, origin=origin,
    )  # fmt: skip


def _synthetic(settings: Settings, database: Database, note: str) -> Chosen:
    symbols = tuple(dict.fromkeys((*_ALWAYS, *settings.market_symbols)))
    plan = _plan(settings, "synthetic", symbols, settings.synthetic_seed)

    def make(season: Season) -> TickSource:
        seed = season_seeds(database, season.id).market
        return SyntheticSource(SyntheticMarket(seed, symbols, season.interval), predictable=season.predictable)

    return Chosen(make, plan, note)


def _replay(settings: Settings) -> Chosen:
    market = read_market(settings.replay_files, None, settings.tick_interval_seconds, log.info)
    digest = hashlib.sha256(market.rows.tobytes()).hexdigest()[:12]
    names = ", ".join(Path(spec.rpartition("=")[2]).name for spec in settings.replay_files)
    plan = _plan(
        settings, f"replay:{names}:{digest}", market.symbols, bar=market.interval or 0.0,
        origin=market.time(0) if len(market) else None,
    )  # fmt: skip
    return Chosen(
        lambda _: ReplaySource(market, settings.replay_speed),
        plan,
        f"A recording is played: {names}, {len(market):,} ticks.",
    )


def _live(settings: Settings, database: Database, runner: FeedRunner) -> Chosen:
    """Put the configured feeds together; one that cannot be reached holds up nobody else."""
    feeds = [make_feed(name, settings, DatabaseUsage(database, name)) for name in settings.feeds]
    symbols = tuple(dict.fromkeys(symbol for feed in feeds for symbol in feed.symbols))
    plan = _plan(settings, ",".join(feed.name for feed in feeds), symbols)
    reached = runner.reachable(feeds, settings.feed_wait_seconds)
    if not reached and settings.feeds == ["binance"] and not open_season_with_key(database, plan.key()):
        note = "Binance cannot be reached: prices are made up by the synthetic market instead."
        return _synthetic(settings, database, note)
    note = _live_note([feed.name for feed in feeds], reached)
    recorder = SeasonRecorder(settings, feeds)
    market = LiveMarket(feeds, stale_intervals=settings.stale_intervals, record=recorder.write, clock=CLOCK.now)
    runner.start(feeds, market)

    def make(season: Season) -> TickSource:
        recorder.begin(season)
        return LiveSource(market, symbols, season.interval, season.delay_ticks)

    return Chosen(make, plan, note, recorder.end)


def _live_note(feeds: list[str], reached: Mapping[str, str]) -> str:
    """Say which feeds have prices, which cannot be reached, and why others have none to give."""
    missing = [name for name in feeds if name not in reached]
    live = [name for name in feeds if reached.get(name) == ""]
    refusals = list(filter(None, reached.values()))
    if live:
        note = f"Prices are live, from {_listed(live)}"
        note += f"; {_listed(missing)} cannot be reached yet and will be tried again." if missing else "."
    elif missing:
        note = f"{_listed(missing)} cannot be reached: the feed is down. The clock waits for it."
    else:
        note = "No feed has prices to give: the clock waits."
    return " ".join([*refusals, note])


def _listed(feeds: list[str]) -> str:
    """Return the names of venues as people write them, one after the other."""
    words = [title_of(name) for name in feeds]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


class SeasonRecorder:
    """Keeps the raw payloads of every live season in a file of its own, where RECORD_DIR asks for it."""

    def __init__(self, settings: Settings, feeds: list[LiveFeed]) -> None:
        self._settings = settings
        self._feeds = feeds
        self._recording: Recording | None = None
        # The feeds speak before the season is opened, and what they say first explains the rest.
        self._lock = threading.Lock()
        self._early: list[RawFrame] | None = [] if settings.record_dir else None

    def begin(self, season: Season) -> None:
        """Go on with a season's recording, or begin it."""
        folder = self._settings.record_dir
        if not folder:
            return
        path = Path(folder) / f"season-{season.number}.arena"
        path.parent.mkdir(parents=True, exist_ok=True)
        recording = start_recording(path, self._feeds, self._settings, append=path.exists())
        with self._lock:
            early, self._early = self._early or [], None
            for frame in early:
                recording.write(frame)
            self._recording = recording
        log.info("What the feeds send is recorded in %s", path)

    def write(self, frame: RawFrame) -> None:
        """Take a payload; called from the feeds' thread."""
        with self._lock:
            if self._recording is not None:
                self._recording.write(frame)
            elif self._early is not None:
                self._early.append(frame)

    def end(self) -> None:
        """Close the recording with its season."""
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.close()
